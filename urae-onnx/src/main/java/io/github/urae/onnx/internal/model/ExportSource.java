package io.github.urae.onnx.internal.model;

import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.ExportReport;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.NetworkSizes;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.graph.LinearLayers;
import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.onnx.internal.source.ExportContracts;
import io.github.urae.onnx.internal.source.ExportWriter;
import io.github.urae.onnx.internal.source.ExportedNetwork;
import io.github.urae.tensor.ElementType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A directory of ONNX exports in Optimum's layout. Networks that are understood get the graphs of a
 * checkpoint, over the exports' own weights; others run as they were exported.
 */
public record ExportSource(Checkpoint checkpoint) implements ModelSource {

  /** Tells whether a folder holds the transformer as ONNX and not as safetensors. */
  static boolean recognises(Path folder) throws IOException {
    Path transformer = folder.resolve(Component.TRANSFORMER.id());
    if (!Files.exists(transformer.resolve(ExportWriter.MODEL))) {
      return false;
    }
    try (Stream<Path> files = Files.list(transformer)) {
      return files.noneMatch(file -> file.getFileName().toString().endsWith(".safetensors"));
    }
  }

  @Override
  public Weights open(Component component, Arithmetic arithmetic) throws IOException {
    ExportedNetwork network = network(component, arithmetic.type());
    return Weights.of(network.graph(), network.weights());
  }

  private Path file(Component component) {
    return checkpoint.folder().orElseThrow().resolve(component.id()).resolve(ExportWriter.MODEL);
  }

  private ExportedNetwork network(Component component, ElementType type) throws IOException {
    Path file = file(component);
    if (!Files.exists(file)) {
      throw new NoSuchFileException(
          file.toString(), null, "the export lacks this network; export all parts together");
    }
    NetworkSizes.check(checkpoint, component, Optional.empty());
    return ExportedNetwork.open(
        file,
        DiffusersSource.graph(checkpoint, component, type, LinearLayers.PLAIN),
        ExportContracts.of(component, checkpoint.transformer().guidance()));
  }

  /** Says what was understood of each network. */
  public List<ExportReport> reports() throws IOException {
    List<ExportReport> reports = new ArrayList<>();
    for (Component component : checkpoint.family().networks()) {
      if (component.isOnDemand() && !Files.exists(file(component))) {
        continue; // Exports may well do without.
      }
      ExportedNetwork network = network(component, ElementType.F32);
      network.weights().close();
      reports.add(network.report());
    }
    return reports;
  }
}
