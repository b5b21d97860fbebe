package io.github.urae.flux.model.internal;

import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.OwnedResources;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.WeightEncodingProvider;
import io.github.urae.weights.internal.PlacedTensors;
import io.github.urae.weights.internal.SelectedRows;
import io.github.urae.weights.internal.quantised.RecognisedEncodings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The weights of a network by the names of diffusers' parameters, whatever names and encodings its
 * file has. Fused projections are rows of the stored tensors.
 */
public final class NetworkWeights {

  private final ModelFamily family;
  private final Path file;
  private final Map<String, TensorInfo> stored = new LinkedHashMap<>();
  private final TensorNames names;
  private final Set<String> unused = new LinkedHashSet<>();
  private final Map<String, TensorInfo> parameters = new LinkedHashMap<>();

  private NetworkWeights(ModelFamily family, Path file, Map<String, TensorInfo> tensors) {
    this.family = family;
    this.file = file;
    stored.putAll(tensors);
    names = new TensorNames(tensors.keySet());
    unused.addAll(stored.keySet());
  }

  /**
   * Opens the weights of a network by the names of diffusers' parameters, whatever a program has
   * put before them, also where they are a transformer in the {@linkplain ModelFamily#names
   * family's other names} or an autoencoder in older ones, and in every encoding for which there is
   * a {@link WeightEncodingProvider}.
   *
   * @param path a file, an index or a folder, as for {@link Safetensors#open}
   * @param family what the network belongs to
   * @param network which one it is
   * @return the open source; the caller closes it
   * @throws IOException if something is missing or cannot be read
   * @throws FileFormatException if a file breaks the format, or the folder holds several sets of
   *     weights
   * @throws ModelException if weights are quantised in a way that is not supported, or are those of
   *     another network or model
   */
  public static TensorSource open(Path path, ModelFamily family, Component network)
      throws IOException {
    OwnedResources opened = new OwnedResources();
    try {
      TensorSource source = opened.add(Safetensors.open(path));
      Map<String, TensorInfo> tensors = of(source, family, network, RecognisedEncodings.of(source));
      if (tensors.equals(source.tensors())) {
        return source;
      }
      TensorSource named =
          opened.add(
              PlacedTensors.open(
                  source.files(), tensors.values(), source.metadata(), Optional.empty()));
      source.checkUnchanged();
      source.close();
      return named;
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  /**
   * Finds a network among the tensors of its files.
   *
   * @param source where the tensors are from, for messages
   * @param recognised all tensors, in their encodings
   * @return those of the network, by the names of diffusers' parameters; the same map where nothing
   *     is to be done
   * @throws ModelException as {@link #open}
   */
  static Map<String, TensorInfo> of(
      TensorSource source,
      ModelFamily family,
      Component network,
      Map<String, TensorInfo> recognised) {
    Map<String, TensorInfo> tensors = StoredNames.of(network, family, recognised);
    OtherNetworks.refuse(source, family, network, tensors);
    return network == Component.TRANSFORMER && family.names().names(tensors.keySet())
        ? new NetworkWeights(family, source.files().get(0), tensors).parameters()
        : tensors;
  }

  private Map<String, TensorInfo> parameters() {
    for (ParameterTable.Entry entry : family.names().entries()) {
      int blocks = entry.isInBlocks() ? names.blocks(entry.blockPrefix()) : 1;
      for (int block = 0; block < blocks; block++) {
        take(entry.in(block));
      }
    }
    if (!unused.isEmpty()) {
      throw new ModelException(
          file
              + ": tensor '"
              + unused.iterator().next()
              + "': the transformer of "
              + family.name()
              + " has none of this name; the file is of another model");
    }
    return Collections.unmodifiableMap(parameters);
  }

  private void take(ParameterTable.Entry entry) {
    if (entry.optional() && !names.anyStartsWith(entry.module() + ".")) {
      return;
    }
    entry
        .parameters()
        .forEach(
            (own, diffusers) -> {
              String name = entry.module() + "." + own;
              TensorInfo info = stored.get(name);
              if (info == null) {
                // Some programs have diffusers' names of parameters in modules of other names.
                info = stored.get(entry.module() + "." + diffusers);
              }
              if (info == null) {
                throw new ModelException(file + ": expected a tensor '" + name + "', found none");
              }
              unused.remove(info.name());
              place(entry, info, diffusers);
            });
  }

  private void place(ParameterTable.Entry entry, TensorInfo info, String parameter) {
    if (entry.shares() == 1) {
      String name = entry.pieces().get(0).module() + "." + parameter;
      parameters.put(
          name,
          new TensorInfo(
              name, info.encoding(), info.shape(), info.file(), info.offset(), info.length()));
      return;
    }
    long rows = info.shape().rank() == 0 ? 0 : info.shape().dimension(0);
    if (rows == 0 || rows % entry.shares() != 0) {
      throw new ModelException(
          file
              + ": tensor '"
              + info.name()
              + "': expected rows of "
              + entry.shares()
              + " equal parts, found shape "
              + info.shape());
    }
    long share = rows / entry.shares();
    Map<String, List<SelectedRows.Range>> ranges = new LinkedHashMap<>();
    for (ParameterTable.Piece piece : entry.pieces()) {
      ranges
          .computeIfAbsent(piece.module() + "." + parameter, n -> new ArrayList<>())
          .add(new SelectedRows.Range(piece.first() * share, piece.count() * share));
    }
    ranges.forEach(
        (name, own) ->
            parameters.put(
                name, SelectedRows.of(info, name, own.toArray(new SelectedRows.Range[0]))));
  }
}
