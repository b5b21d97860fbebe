package io.github.urae.onnx.internal.model;

import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.device.Offload;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.weights.internal.WeightCache;
import java.util.OptionalLong;

/**
 * What holds for a pipeline's whole life.
 *
 * @param sessions how sessions are opened
 * @param arithmetic of text encoders and transformer, but for those that it does not suit
 * @param offload when they are
 * @param cache where derived weights lie
 * @param memoryLimit most bytes that a generation may be expected to take
 * @param adapterOptions what is let pass when adapters are matched
 */
public record PipelineSettings(
    SessionSettings sessions,
    Arithmetic arithmetic,
    Offload offload,
    WeightCache cache,
    OptionalLong memoryLimit,
    AdapterOptions adapterOptions) {}
