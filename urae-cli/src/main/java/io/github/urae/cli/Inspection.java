package io.github.urae.cli;

import static java.util.Locale.ROOT;

import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.export.OnnxExport;
import io.github.urae.flux.Sampling;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.ExportReport;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.flux.model.internal.SchedulerConfig;
import io.github.urae.flux.model.internal.StoredNetworks;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.image.ImageFormat;
import io.github.urae.internal.MistakenFile;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.imageio.IIOException;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.FileImageInputStream;
import javax.imageio.stream.ImageInputStream;

/** What {@code inspect} finds out: names to numbers, texts, lists and further such maps. */
final class Inspection {

  private Inspection() {}

  /**
   * Describes a checkpoint; of a folder of files that are not one model, each file, and why they
   * are not.
   */
  static Map<String, Object> ofFolder(Path path) throws IOException {
    try {
      return ofCheckpoint(path);
    } catch (ModelException e) {
      List<StoredNetworks> files =
          Files.exists(path.resolve("model_index.json"))
              ? List.of()
              : StoredNetworks.inFolder(path, Flux1.FAMILY);
      if (files.isEmpty()) {
        throw e;
      }
      Map<String, Object> findings = new LinkedHashMap<>();
      findings.put("kind", "files of networks of FLUX.1, not one model");
      findings.put("folder", path.toString());
      findings.put("why", e.getMessage());
      for (StoredNetworks file : files) {
        try (TensorSource weights = Safetensors.open(file.path())) {
          Map<String, Object> summary = WeightSummary.ofFile(weights);
          summary.remove("needs beside it");
          findings.put(path.relativize(file.path()).toString(), summary);
        }
      }
      return findings;
    }
  }

  /** Describes a checkpoint from its configurations and headers; reads no weight. */
  private static Map<String, Object> ofCheckpoint(Path path) throws IOException {
    Checkpoint checkpoint = Checkpoint.open(path);
    TransformerConfig transformer = checkpoint.transformer();
    SchedulerConfig scheduler = checkpoint.scheduler();
    Map<String, Object> findings = new LinkedHashMap<>();
    List<ExportReport> exports = OnnxExport.inspect(path);
    String stored = checkpoint.folder().isPresent() ? "FLUX.1 checkpoint" : "FLUX.1 in files";
    findings.put("kind", exports.isEmpty() ? stored : "FLUX.1 as ONNX exports");
    findings.put("folder", checkpoint.folder().orElse(path).toString());
    findings.put("guidance", transformer.guidance() ? "embedded (-dev)" : "none (-schnell)");
    findings.put("native size", checkpoint.nativeSize() + "x" + checkpoint.nativeSize());
    findings.put("default steps", checkpoint.defaultSteps());
    findings.put(
        "blocks",
        transformer.doubleBlocks() + " double, " + transformer.singleBlocks() + " single");
    findings.put("heads", transformer.heads() + " of " + transformer.headDim());
    findings.put("rotary axes", transformer.rotaryAxes().toString());
    findings.put(
        "timestep shift",
        scheduler.useDynamicShifting()
            ? "dynamic; static " + scheduler.shift().shift() + " in ultra resolution"
            : "static " + scheduler.shift().shift());
    Sampling sampling = scheduler.settled(Sampling.AUTO);
    sampling.sigmas().ifPresent(own -> findings.put("noise levels", own.name().toLowerCase(ROOT)));
    sampling.solver().ifPresent(own -> findings.put("solver", own.name().toLowerCase(ROOT)));
    for (ExportReport report : exports) {
      findings.put(folderOf(report), report.asText());
    }
    if (!exports.isEmpty()) {
      return findings;
    }
    for (Component network : StoredNetworks.KINDS) {
      Path place = checkpoint.place(network);
      boolean own = checkpoint.folder().isPresent();
      try (TensorSource weights =
          own
              ? Safetensors.open(place)
              : NetworkWeights.open(place, checkpoint.family(), network)) {
        Map<String, Object> summary = WeightSummary.of(weights);
        if (!own) {
          summary.put("from", place.toString());
          summary.put("configured by", checkpoint.configurationSource(network));
        }
        findings.put(network.folder(), summary);
      }
    }
    if (checkpoint.folder().isEmpty()) {
      for (Component tokenizer : List.of(Component.TOKENIZER, Component.TOKENIZER_2)) {
        findings.put(tokenizer.folder(), checkpoint.place(tokenizer).toString());
      }
    }
    return findings;
  }

  private static String folderOf(ExportReport report) {
    return report.file().toAbsolutePath().getParent().getFileName().toString();
  }

  /** Describes a safetensors file or the shards of an index, tensor by tensor. */
  static Map<String, Object> ofWeights(Path path) throws IOException {
    try (TensorSource weights = Safetensors.open(path)) {
      Map<String, Object> findings = new LinkedHashMap<>();
      findings.put("kind", isGguf(path) ? "GGUF" : "safetensors");
      findings.putAll(WeightSummary.ofFile(weights));
      findings.put("metadata", new LinkedHashMap<String, Object>(weights.metadata()));
      Map<String, Object> tensors = new LinkedHashMap<>();
      weights
          .tensors()
          .values()
          .forEach(t -> tensors.put(t.name(), t.encoding().name() + " " + t.shape()));
      findings.put("contents", tensors);
      return findings;
    }
  }

  private static boolean isGguf(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      return MistakenFile.isGguf(in.readNBytes(4));
    }
  }

  /** Describes a picture by the settings in its texts. */
  static Map<String, Object> ofPicture(Path path) throws IOException {
    Map<String, Object> settings = new LinkedHashMap<>(ImageFormat.texts(path));
    // The same once more, for programs.
    Object record = settings.remove("urae");
    Map<String, Object> findings = new LinkedHashMap<>();
    findings.put("kind", "picture");
    findings.put("size", sizeOf(path));
    if (record != null) {
      findings.put("draw again", "urae generate --from " + path);
    }
    findings.put("settings", settings);
    return findings;
  }

  private static String sizeOf(Path picture) throws IOException {
    try (ImageInputStream in = new FileImageInputStream(picture.toFile())) {
      ImageReader reader = ImageIO.getImageReaders(in).next();
      reader.setInput(in);
      String size = reader.getWidth(0) + "x" + reader.getHeight(0);
      reader.dispose();
      return size;
    } catch (IIOException | RuntimeException e) {
      // Readers answer damaged files with whatever goes wrong first.
      throw new FileFormatException(picture + ": not a valid picture: " + e.getMessage(), e);
    }
  }
}
