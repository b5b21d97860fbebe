package io.github.urae.adapter;

/**
 * A key of an adapter that changes nothing in a model.
 *
 * @param adapter the adapter, as it was given
 * @param key the key, as the file has it
 * @param reason why, in words: the model has no such part, FLUX does not use it, or the same change
 *     is there under another name
 */
public record UnmatchedKey(AdapterSpec adapter, String key, String reason) {}
