package io.github.urae.internal.recording;

import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.Name;

/** A stage of a generation or of other work. */
@Name("io.github.urae.Stage")
@Label("Stage")
@Description("A stage of a generation or of other work")
final class StageEvent extends TaskEvent {}
