package io.github.urae.cli;

import static java.util.Locale.ROOT;

import io.github.urae.FileFormatException;
import io.github.urae.export.OnnxExport;
import io.github.urae.flux.Sampling;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.ExportReport;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.SchedulerConfig;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.image.ImageFormat;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javax.imageio.IIOException;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.FileImageInputStream;
import javax.imageio.stream.ImageInputStream;

/** What {@code inspect} finds out: names to numbers, texts, lists and further such maps. */
final class Inspection {

  private Inspection() {}

  /** Describes a checkpoint from its configurations and headers; reads no weight. */
  static Map<String, Object> ofCheckpoint(Path path) throws IOException {
    Checkpoint checkpoint = Checkpoint.open(path);
    TransformerConfig transformer = checkpoint.transformer();
    SchedulerConfig scheduler = checkpoint.scheduler();
    Map<String, Object> findings = new LinkedHashMap<>();
    List<ExportReport> exports = OnnxExport.inspect(path);
    findings.put("kind", exports.isEmpty() ? "FLUX.1 checkpoint" : "FLUX.1 as ONNX exports");
    findings.put("folder", checkpoint.folder().orElseThrow().toString());
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
    for (String folder : folders(checkpoint)) {
      try (TensorSource weights =
          Safetensors.open(checkpoint.folder().orElseThrow().resolve(folder))) {
        findings.put(folder, summary(weights));
      }
    }
    return findings;
  }

  /** Returns the folders of the networks; both halves of the autoencoder share one. */
  private static List<String> folders(Checkpoint checkpoint) {
    return checkpoint.family().networks().stream().map(Component::folder).distinct().toList();
  }

  private static String folderOf(ExportReport report) {
    return report.file().toAbsolutePath().getParent().getFileName().toString();
  }

  /** Describes a safetensors file or the shards of an index, tensor by tensor. */
  static Map<String, Object> ofWeights(Path path) throws IOException {
    try (TensorSource weights = Safetensors.open(path)) {
      Map<String, Object> findings = new LinkedHashMap<>();
      findings.put("kind", "safetensors");
      findings.putAll(summary(weights));
      findings.put("metadata", new LinkedHashMap<String, Object>(weights.metadata()));
      Map<String, Object> tensors = new LinkedHashMap<>();
      weights.tensors().values().forEach(t -> tensors.put(t.name(), t.type() + " " + t.shape()));
      findings.put("contents", tensors);
      return findings;
    }
  }

  private static Map<String, Object> summary(TensorSource weights) {
    long parameters = 0;
    long bytes = 0;
    Map<String, Object> types = new TreeMap<>();
    for (TensorInfo tensor : weights.tensors().values()) {
      parameters += tensor.shape().elementCount();
      bytes += tensor.length();
      types.merge(tensor.type().name(), 1L, (a, b) -> (Long) a + (Long) b);
    }
    Map<String, Object> summary = new LinkedHashMap<>();
    summary.put("files", weights.files().size());
    summary.put("tensors", weights.tensors().size());
    summary.put("parameters", parameters);
    summary.put("bytes", bytes);
    summary.put("element types", types);
    return summary;
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
