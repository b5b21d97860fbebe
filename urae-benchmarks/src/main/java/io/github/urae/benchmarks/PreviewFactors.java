package io.github.urae.benchmarks;

import io.github.urae.demo.DemoModel;
import io.github.urae.device.Device;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.image.RgbImage;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Fits the linear map from latents to colours that previews of the bundled checkpoint use: least
 * squares over pictures that it draws itself, the latents of each against the mean colour of the
 * pixels that they stand for. Writes {@code preview_factors.json}, which belongs beside the
 * autoencoder of a checkpoint, and prints the root of the mean square error.
 *
 * <p>Arguments: a folder for the cache, and the file to write.
 */
public final class PreviewFactors {

  private static final List<String> TIMES =
      List.of(
          "at dawn",
          "on a sunny day",
          "under white clouds",
          "in the evening",
          "at sunset",
          "at dusk",
          "at night under a full moon",
          "under the stars");
  private static final List<String> SCENES =
      List.of(
          "a sailing boat on the sea",
          "a lighthouse on a cliff",
          "snowy mountains with a pine forest",
          "a lone tree on autumn hills",
          "desert dunes");
  private static final int PICTURES = 64;
  private static final int STEPS = 8;
  private static final int UNKNOWNS = Flux1.LATENTS.channels() + 1;

  private final double[][] products = new double[UNKNOWNS][UNKNOWNS];
  private final double[][] targets = new double[UNKNOWNS][3];
  private double squares;
  private long samples;

  private PreviewFactors() {}

  /**
   * Runs the program.
   *
   * @param arguments a folder for the cache, and the file to write
   * @throws IOException if the checkpoint cannot be unpacked or the file not be written
   */
  public static void main(String[] arguments) throws IOException {
    Path cache = Path.of(arguments.length > 0 ? arguments[0] : "target/benchmark-cache");
    Path model = DemoModel.unpackInto(cache).checkpoint();
    PreviewFactors fit = new PreviewFactors();
    try (FluxPipeline pipeline =
        FluxPipeline.builder().model(model).device(Device.cpu()).cacheFolder(cache).build()) {
      for (int i = 0; i < PICTURES; i++) {
        String prompt = SCENES.get(i % SCENES.size()) + " " + TIMES.get(i % TIMES.size());
        GenerationRequest request = GenerationRequest.builder(prompt).steps(STEPS).seed(i).build();
        fit.add(pipeline.generate(request).get(0));
      }
    }
    fit.write(
        Path.of(
            arguments.length > 1
                ? arguments[1]
                : "target/" + io.github.urae.flux.model.internal.PreviewFactors.FILE));
  }

  private void add(GeneratedImage picture) {
    LatentGrid grid = new LatentGrid(Flux1.LATENTS, picture.width(), picture.height());
    float[] latents = grid.unpack(picture.latents().toFloats());
    RgbImage pixels = picture.toRgbImage();
    int count = grid.latentHeight() * grid.latentWidth();
    double[] row = new double[UNKNOWNS];
    row[Flux1.LATENTS.channels()] = 1;
    for (int i = 0; i < count; i++) {
      for (int channel = 0; channel < Flux1.LATENTS.channels(); channel++) {
        row[channel] = latents[channel * count + i];
      }
      double[] colour = meanColour(pixels, i % grid.latentWidth(), i / grid.latentWidth());
      for (int a = 0; a < UNKNOWNS; a++) {
        for (int b = 0; b < UNKNOWNS; b++) {
          products[a][b] += row[a] * row[b];
        }
        for (int c = 0; c < 3; c++) {
          targets[a][c] += row[a] * colour[c];
        }
      }
      for (double level : colour) {
        squares += level * level;
      }
    }
    samples += count;
  }

  /** Red, green and blue in -1 to 1. */
  private static double[] meanColour(RgbImage pixels, int column, int row) {
    int side = Flux1.LATENTS.pixelsPerLatent();
    double[] colour = new double[3];
    for (int i = 0; i < side * side; i++) {
      int pixel = pixels.pixel(column * side + i % side, row * side + i / side);
      for (int c = 0; c < 3; c++) {
        colour[c] += ((pixel >> (16 - 8 * c) & 0xFF) / 127.5 - 1) / (side * side);
      }
    }
    return colour;
  }

  private void write(Path file) throws IOException {
    double[][] factors = solve();
    double explained = 0;
    List<String> rows = new ArrayList<>();
    for (int a = 0; a < UNKNOWNS; a++) {
      rows.add(
          String.format(
              Locale.ROOT, "[%.4f, %.4f, %.4f]", factors[a][0], factors[a][1], factors[a][2]));
      for (int c = 0; c < 3; c++) {
        explained += factors[a][c] * targets[a][c];
      }
    }
    String constant = rows.remove(UNKNOWNS - 1);
    Files.writeString(
        file,
        "{\n  \"factors\": [\n    "
            + String.join(",\n    ", rows)
            + "\n  ],\n  \"constant\": "
            + constant
            + "\n}\n");
    System.out.println("written: " + file);
    System.out.printf(
        Locale.ROOT,
        "%d latent elements, root of the mean square error %.3f of a range of 2%n",
        samples,
        Math.sqrt((squares - explained) / (3 * samples)));
  }

  /** Gaussian elimination of the normal equations. */
  private double[][] solve() {
    double[][] left = new double[UNKNOWNS][];
    double[][] right = new double[UNKNOWNS][];
    for (int i = 0; i < UNKNOWNS; i++) {
      left[i] = products[i].clone();
      right[i] = targets[i].clone();
    }
    for (int pivot = 0; pivot < UNKNOWNS; pivot++) {
      for (int i = 0; i < UNKNOWNS; i++) {
        if (i != pivot) {
          // Sums of squares and little else: the diagonal never vanishes.
          double factor = left[i][pivot] / left[pivot][pivot];
          subtract(left[i], left[pivot], factor);
          subtract(right[i], right[pivot], factor);
        }
      }
    }
    for (int i = 0; i < UNKNOWNS; i++) {
      for (int c = 0; c < 3; c++) {
        right[i][c] /= left[i][i];
      }
    }
    return right;
  }

  private static void subtract(double[] from, double[] row, double factor) {
    for (int i = 0; i < from.length; i++) {
      from[i] -= factor * row[i];
    }
  }
}
