package io.github.urae.internal.recording;

import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.Name;

/** Adapters are merged into weights. */
@Name("io.github.urae.Merge")
@Label("Merge")
@Description("Adapters are merged into weights")
final class MergeEvent extends TaskEvent {}
