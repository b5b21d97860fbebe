package io.github.urae.training.internal.data;

import io.github.urae.flux.VaeTiling;
import io.github.urae.tensor.ElementType;
import java.util.OptionalInt;

/**
 * How a folder is prepared.
 *
 * @param sizing which size pictures are brought to
 * @param textTokens tokens of T5; empty for as many as the model reads
 * @param storage F32 or BF16
 * @param tiling whether pictures are encoded in tiles
 * @param redo whether caches that were made otherwise are made again, and not refused
 * @param threads threads that read and resize pictures beside the encoder, at least 1
 */
public record PreparationSettings(
    PictureSizing sizing,
    OptionalInt textTokens,
    ElementType storage,
    VaeTiling tiling,
    boolean redo,
    int threads) {}
