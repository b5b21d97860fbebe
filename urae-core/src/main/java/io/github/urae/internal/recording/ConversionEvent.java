package io.github.urae.internal.recording;

import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.Name;

/** Weights are converted into another element type. */
@Name("io.github.urae.Conversion")
@Label("Conversion")
@Description("Weights are converted into another element type")
final class ConversionEvent extends TaskEvent {}
