package io.github.urae.onnx.internal.session;

import io.github.urae.device.Device;
import java.util.OptionalInt;

/**
 * How sessions are opened.
 *
 * @param device a processor or GPU, not a choice between them
 * @param threads threads for the operators of one session; empty for one a core
 * @param prepacking whether ONNX Runtime may copy weights into the layout that its matrix products
 *     like best: somewhat faster on the CPU, for a second copy of all weights in anonymous memory
 */
public record SessionSettings(Device device, OptionalInt threads, boolean prepacking) {}
