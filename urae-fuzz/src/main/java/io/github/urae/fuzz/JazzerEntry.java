package io.github.urae.fuzz;

import java.io.IOException;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** What Jazzer calls, in a process of its own for each target. */
public final class JazzerEntry {

  /** Inputs up to this size are kept for a process that native code ends. */
  static final int MAX_INPUT_BYTES = 1 << 18;

  static final String LAST_INPUT = "last-input";

  private static FuzzTarget target;
  private static MappedByteBuffer lastInput;

  private JazzerEntry() {}

  /**
   * Opens the target.
   *
   * @param arguments its name, and a folder of its own
   * @throws IOException if it cannot be set up
   */
  public static void fuzzerInitialize(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[1]);
    target = FuzzTargets.open(arguments[0], folder);
    try (FileChannel file =
        FileChannel.open(
            folder.resolve(LAST_INPUT),
            StandardOpenOption.CREATE,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE)) {
      lastInput =
          file.map(FileChannel.MapMode.READ_WRITE, 0, Integer.BYTES + (long) MAX_INPUT_BYTES);
    }
  }

  /**
   * Runs one input.
   *
   * @param input as of {@link FuzzTarget#run(byte[])}
   */
  public static void fuzzerTestOneInput(byte[] input) {
    int kept = Math.min(input.length, MAX_INPUT_BYTES);
    lastInput.putInt(0, kept).put(Integer.BYTES, input, 0, kept);
    target.run(input);
  }
}
