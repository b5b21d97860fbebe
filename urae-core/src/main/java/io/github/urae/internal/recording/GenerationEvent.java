package io.github.urae.internal.recording;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A call that draws pictures, with what it waited for its turn. */
@Name("io.github.urae.Generation")
@Label("Generation")
@Description("A call that draws pictures, from the call to its end")
@Category("URAE")
@StackTrace(false)
final class GenerationEvent extends Event {

  @Label("Model")
  String model;

  @Label("Width")
  int width;

  @Label("Height")
  int height;

  @Label("Images")
  int images;

  @Label("Outcome")
  @Description("drawn, or the kind of exception that ended it")
  String outcome;
}
