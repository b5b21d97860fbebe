package io.github.urae.pipeline;

import io.github.urae.session.Weights;
import io.github.urae.source.ExportContracts;
import io.github.urae.source.ExportReport;
import io.github.urae.source.ExportWriter;
import io.github.urae.source.ExportedNetwork;
import io.github.urae.tensor.ElementType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * A directory of ONNX exports in Optimum's layout. Networks that are understood get the graphs of a
 * checkpoint, over the exports' own weights; others run as they were exported.
 */
record ExportSource(FluxCheckpoint checkpoint) implements ModelSource {

  /** Tells whether a folder holds the transformer as ONNX and not as safetensors. */
  static boolean recognises(Path folder) throws IOException {
    Path transformer = folder.resolve(folderOf(Part.TRANSFORMER));
    if (!Files.exists(transformer.resolve(ExportWriter.MODEL))) {
      return false;
    }
    try (Stream<Path> files = Files.list(transformer)) {
      return files.noneMatch(file -> file.getFileName().toString().endsWith(".safetensors"));
    }
  }

  /** Returns the folder of a network. */
  static String folderOf(Part part) {
    return switch (part) {
      case CLIP -> "text_encoder";
      case T5 -> "text_encoder_2";
      case TRANSFORMER -> "transformer";
      case VAE_ENCODER -> "vae_encoder";
      case VAE_DECODER -> "vae_decoder";
    };
  }

  @Override
  public Weights open(Part part, ElementType type) throws IOException {
    ExportedNetwork network = network(part, type);
    return Weights.of(network.graph(), network.weights());
  }

  private Path file(Part part) {
    return checkpoint.folder().resolve(folderOf(part)).resolve(ExportWriter.MODEL);
  }

  private ExportedNetwork network(Part part, ElementType type) throws IOException {
    Path file = file(part);
    if (!Files.exists(file)) {
      throw new NoSuchFileException(
          file.toString(), null, "the export lacks this network; export all parts together");
    }
    return ExportedNetwork.open(
        file,
        DiffusersSource.graph(checkpoint, part, type),
        ExportContracts.of(folderOf(part), checkpoint.transformer().guidance()));
  }

  /** Says what was understood of each network. */
  List<ExportReport> reports() throws IOException {
    List<ExportReport> reports = new ArrayList<>();
    for (Part part : Part.values()) {
      if (part.onDemand() && !Files.exists(file(part))) {
        continue; // Exports may well do without.
      }
      ExportedNetwork network = network(part, ElementType.F32);
      network.weights().close();
      reports.add(network.report());
    }
    return reports;
  }
}
