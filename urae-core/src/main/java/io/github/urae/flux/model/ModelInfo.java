package io.github.urae.flux.model;

import io.github.urae.flux.arithmetic.LatentLayout;

/**
 * What an application may want to know of a model before it asks for a picture.
 *
 * @param name tells the model from others without telling where it lies: its folder's name, or
 *     {@code ORG/NAME} in a Hugging Face cache
 * @param family which kind of model it is: {@code "FLUX.1"}
 * @param latents what its latents look like; a picture's sides are multiples of {@link
 *     LatentLayout#pixelsPerToken()}
 * @param nativeSize pixels a side of the pictures that it was trained on, and of those for which a
 *     request sets no size; 1024 for FLUX.1
 * @param guidance whether it is told a guidance scale: true for FLUX.1-dev, false for -schnell
 * @param maxTextTokens most text tokens, and the number where a request sets none; 512 for
 *     FLUX.1-dev, 256 for -schnell
 * @param defaultSteps denoising steps where a request sets none; 28 for FLUX.1-dev, 4 for -schnell
 */
public record ModelInfo(
    String name,
    String family,
    LatentLayout latents,
    int nativeSize,
    boolean guidance,
    int maxTextTokens,
    int defaultSteps) {}
