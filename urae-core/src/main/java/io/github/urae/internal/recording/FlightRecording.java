package io.github.urae.internal.recording;

import io.github.urae.Stage;
import java.util.Optional;
import jdk.jfr.FlightRecorder;

/**
 * Events for Java Flight Recorder. Where nobody records, one class of its module is loaded and
 * nothing more; where the module is absent, none. Thread-safe.
 */
public final class FlightRecording {

  /** A runtime image that was made for an application may lack it. */
  private static final boolean PRESENT = ModuleLayer.boot().findModule("jdk.jfr").isPresent();

  private static final Span NOTHING = outcome -> {};

  private FlightRecording() {}

  /** Something that lasts, from when it was asked for. Ends on the thread that it began on. */
  @FunctionalInterface
  public interface Span {

    /**
     * Records that it is over; a second time without effect.
     *
     * @param outcome how it ended
     */
    void end(String outcome);

    /** Records that it ended as it should. */
    default void end() {
      end("done");
    }
  }

  private static boolean isOn() {
    return PRESENT && FlightRecorder.isInitialized();
  }

  /**
   * Begins a generation.
   *
   * @param model the model's name
   * @param width pixels
   * @param height pixels
   * @param images how many
   * @return to be ended
   */
  public static Span generation(String model, int width, int height, int images) {
    return isOn() ? Recorded.generation(model, width, height, images) : NOTHING;
  }

  /**
   * Begins a stage.
   *
   * @param stage which; merging and converting have events of their own
   * @param component id of the network, if it concerns one
   * @param total how many units it has: bytes, steps, pictures
   * @return to be ended
   */
  public static Span stage(Stage stage, Optional<String> component, long total) {
    return isOn() ? Recorded.stage(stage, component, total) : NOTHING;
  }

  /** Apart, so that the events' classes are loaded only where they are used. */
  private static final class Recorded {

    static Span generation(String model, int width, int height, int images) {
      GenerationEvent event = new GenerationEvent();
      event.model = model;
      event.width = width;
      event.height = height;
      event.images = images;
      event.begin();
      return outcome -> {
        event.outcome = outcome;
        event.commit();
      };
    }

    static Span stage(Stage stage, Optional<String> component, long total) {
      TaskEvent event =
          switch (stage) {
            case MERGING -> new MergeEvent();
            case CONVERTING -> new ConversionEvent();
            default -> new StageEvent();
          };
      event.stage = stage.id();
      event.component = component.orElse(null);
      event.total = total;
      event.begin();
      return outcome -> event.commit();
    }
  }
}
