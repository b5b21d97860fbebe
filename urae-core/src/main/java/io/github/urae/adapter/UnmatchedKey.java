package io.github.urae.adapter;

/**
 * A key of an adapter that changes nothing in a model.
 *
 * @param adapter the adapter's file
 * @param key the key, as the file has it
 */
public record UnmatchedKey(AdapterSpec adapter, String key) {}
