package io.github.urae.benchmarks;

import io.github.urae.adapter.AdapterSpec;
import io.github.urae.demo.DemoModel;
import io.github.urae.device.Device;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.pipeline.FluxPipeline;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageOutputStream;

/**
 * Draws what {@code docs/sheet.md} shows: a strip for every row of its table, with the bundled
 * checkpoint at one, two and four times its native size, without and with its adapters.
 *
 * <p>Arguments: the document, and a folder for the cache; {@code --lora FILE} and {@code --minor
 * FILE} are other adapters in place of the bundled ones. Strips are JPEG files of quality 90, in
 * the places that the document names.
 */
public final class Sheet {

  private static final String USAGE =
      "usage: ./benchmark sheet docs/sheet.md [--cache FOLDER] [--lora FILE] [--minor FILE]\n";

  /** Seed, prompt and file. */
  private static final Pattern ROW =
      Pattern.compile("(?m)^\\| (\\d+) \\| ([^|]+) \\| !\\[\\]\\(([^)]+\\.jpg)\\) \\|$");

  private static final int GAP = 8;
  private static final float QUALITY = 0.9f;

  private record Row(long seed, String prompt, Path file, List<BufferedImage> pictures) {}

  private record Column(int size, List<AdapterSpec> adapters) {}

  private Sheet() {}

  /**
   * Runs the program.
   *
   * @param arguments as above
   * @throws IOException if a file cannot be read or written
   */
  public static void main(String[] arguments) throws IOException {
    Arguments parsed = Arguments.parse(arguments, USAGE);
    Path document = Path.of(parsed.only()).toAbsolutePath();
    Path cache = Path.of(parsed.option("cache", "target/benchmark-cache"));
    String ownLora = parsed.option("lora", "");
    String ownMinor = parsed.option("minor", "");
    parsed.finish();
    List<Row> rows = rows(document);
    DemoModel demo = DemoModel.unpackInto(cache);
    AdapterSpec lora = adapter(ownLora, demo.adapter2k());
    AdapterSpec minor = adapter(ownMinor, demo.adapter4k());
    List<Column> columns =
        List.of(
            new Column(128, List.of()),
            new Column(256, List.of()),
            new Column(256, List.of(lora)),
            new Column(512, List.of()),
            new Column(512, List.of(lora, minor)));
    try (FluxPipeline pipeline =
        FluxPipeline.builder()
            .model(demo.checkpoint())
            .device(Device.cpu())
            .cacheFolder(cache)
            .build()) {
      for (Column column : columns) {
        pipeline.setAdapters(column.adapters());
        for (Row row : rows) {
          GenerationRequest request =
              GenerationRequest.builder(row.prompt())
                  .size(column.size(), column.size())
                  .seed(row.seed())
                  .build();
          row.pictures().add(pipeline.generate(request).get(0).toBufferedImage());
        }
        System.out.println(column.size() + ", adapters: " + column.adapters().size());
      }
    }
    for (Row row : rows) {
      write(beside(row.pictures()), row.file());
    }
  }

  private static AdapterSpec adapter(String own, Path bundled) {
    return new AdapterSpec(own.isEmpty() ? bundled : Path.of(own), 1);
  }

  private static List<Row> rows(Path document) throws IOException {
    List<Row> rows = new ArrayList<>();
    Matcher row = ROW.matcher(Files.readString(document));
    while (row.find()) {
      Path file = document.resolveSibling(row.group(3));
      rows.add(new Row(Long.parseLong(row.group(1)), row.group(2), file, new ArrayList<>()));
    }
    return rows;
  }

  private static BufferedImage beside(List<BufferedImage> pictures) {
    int width = GAP * (pictures.size() - 1);
    int height = 0;
    for (BufferedImage picture : pictures) {
      width += picture.getWidth();
      height = Math.max(height, picture.getHeight());
    }
    BufferedImage strip = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = strip.createGraphics();
    graphics.setColor(Color.WHITE);
    graphics.fillRect(0, 0, width, height);
    int x = 0;
    for (BufferedImage picture : pictures) {
      graphics.drawImage(picture, x, 0, null);
      x += picture.getWidth() + GAP;
    }
    graphics.dispose();
    return strip;
  }

  private static void write(BufferedImage strip, Path file) throws IOException {
    Files.createDirectories(file.getParent());
    ImageWriter writer = ImageIO.getImageWritersByFormatName("jpeg").next();
    try (OutputStream out = new FileOutputStream(file.toFile());
        ImageOutputStream bytes = ImageIO.createImageOutputStream(out)) {
      ImageWriteParam settings = writer.getDefaultWriteParam();
      settings.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
      settings.setCompressionQuality(QUALITY);
      writer.setOutput(bytes);
      writer.write(null, new IIOImage(strip, null, null), settings);
    } finally {
      writer.dispose();
    }
  }
}
