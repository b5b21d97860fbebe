/**
 * Adapters: small files that change the weights of a checkpoint. In the order data meets them: an
 * {@link io.github.urae.adapter.Adapter} is a parsed file; an {@link
 * io.github.urae.adapter.internal.match.AdapterChain} is one or several of them matched against a
 * model's weights; a {@link io.github.urae.adapter.internal.merge.WeightMerger} computes the
 * changed weights; and {@link io.github.urae.adapter.CheckpointMerger} and {@link
 * io.github.urae.adapter.AdapterConversion} write files.
 *
 * <p>A user's files are never changed, and no more than one weight is held in memory.
 */
package io.github.urae.adapter;
