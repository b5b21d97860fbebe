package io.github.urae.training.internal.torch;

import io.github.urae.internal.NativeLibraries;
import io.github.urae.tensor.ElementType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.OptionalInt;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** How fast a device multiplies matrices, which is what nearly all of a training's time goes to. */
@SuppressWarnings("try") // A scope is there to be closed.
public final class ComputeRate {

  /** As wide as FLUX.1's layers, and as many rows as make one of its smaller pictures. */
  private static final long WIDTH = 3072;

  private static final long ROWS = 512;

  private static final long PATIENCE_NANOS = 700_000_000;

  private static final int MOST_ROUNDS = 50;

  private ComputeRate() {}

  /**
   * Measures it for less than a second, or one product where that takes longer.
   *
   * @param cache where native libraries are unpacked
   * @param type F32 or BF16
   * @param device as of {@link io.github.urae.training.internal.engine.EngineSettings}
   * @param threads as there
   * @return floating-point operations a second
   * @throws IOException if libraries cannot be unpacked
   * @throws io.github.urae.UraeException if the library or the device is not there
   */
  public static double measure(Path cache, ElementType type, String device, OptionalInt threads)
      throws IOException {
    NativeLibraries.unpackInto(cache);
    TorchLibrary.load();
    TorchLibrary.useThreads(threads);
    return TorchFailure.explained(
        "measuring the rate of the device", "free memory", () -> measure(type, device));
  }

  private static double measure(ElementType type, String name) {
    try (PointerScope scope = new PointerScope();
        NoGradGuard guard = new NoGradGuard()) {
      Device device = TorchDevices.find(name);
      torch.ScalarType scalar = TensorTransfer.scalarType(type);
      Tensor weight = torch.ones(WIDTH, WIDTH).to(device, scalar);
      Tensor input = torch.ones(ROWS, WIDTH).to(device, scalar);
      double best = 0;
      long started = System.nanoTime();
      for (int i = 0; i < MOST_ROUNDS; i++) {
        long before = System.nanoTime();
        try (PointerScope round = new PointerScope()) {
          // Reading a number waits for a device that computes on its own.
          torch.linear(input, weight).sum().item_double();
        }
        double seconds = (System.nanoTime() - before) / 1e9;
        best = Math.max(best, 2.0 * ROWS * WIDTH * WIDTH / seconds);
        if (System.nanoTime() - started > PATIENCE_NANOS) {
          break;
        }
      }
      return best;
    }
  }
}
