package io.github.urae.internal.recording;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.StackTrace;

/** Part of a larger piece of work, recorded when it is complete. */
@Category("URAE")
@StackTrace(false)
abstract class TaskEvent extends Event {

  @Label("Stage")
  String stage;

  @Label("Network")
  String component;

  @Label("Units")
  @Description("Bytes, steps, prompts, pictures or tiles")
  long total;
}
