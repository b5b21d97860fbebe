package io.github.urae.weights.internal;

import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import io.github.urae.FileFormatException;
import io.github.urae.internal.BoundedJson;
import io.github.urae.internal.InputFile;
import io.github.urae.internal.JsonConfig;
import io.github.urae.internal.JsonTrees;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A checkpoint in several safetensors files, described by an index ({@code *.index.json} with a
 * {@code weight_map} from tensor to file).
 */
public final class ShardedSafetensors {

  private static final JsonTrees JSON =
      new JsonTrees(BoundedJson.trees().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION));

  /** As large as the largest header of a safetensors file, which holds the same names. */
  private static final int MAX_BYTES = (int) SafetensorsHeader.MAX_HEADER_BYTES;

  /** Tables of embeddings with several names, of which programs list all and store one. */
  private static final List<String> TIED =
      List.of("shared.weight", "embed_tokens.weight", "lm_head.weight");

  private ShardedSafetensors() {}

  /**
   * Opens all shards of an index and checks that index and shards hold the same tensors, but for
   * further names of tied ones.
   *
   * @param index a {@code *.safetensors.index.json} file; its shards lie in the same folder or
   *     below
   * @return the open checkpoint, with the first shard's metadata; the caller closes it
   * @throws IOException if a file is missing or cannot be read
   * @throws FileFormatException if the index or a shard breaks its format, or they disagree
   */
  public static TensorSource open(Path index) throws IOException {
    Map<String, String> weightMap = readWeightMap(index);
    Path folder = index.toAbsolutePath().getParent();
    Map<Path, String> shards = new LinkedHashMap<>();
    for (String name : weightMap.values().stream().distinct().sorted().toList()) {
      Path shard = resolve(index, folder, name);
      if (!Files.exists(shard)) {
        throw new NoSuchFileException(
            shard.toString(), null, "the index " + index + " lists it; download it, too");
      }
      shards.put(shard, name);
    }
    Set<String> found = new HashSet<>();
    return PlacedTensors.read(
        List.copyOf(shards.keySet()),
        (shard, channel) -> {
          PlacedTensors.Contents contents = SafetensorsHeader.read(shard, channel);
          for (String tensor : contents.tensors().keySet()) {
            String listed = weightMap.get(tensor);
            if (!shards.get(shard).equals(listed)) {
              throw new FileFormatException(
                  shard
                      + ": tensor '"
                      + tensor
                      + "': the index "
                      + index
                      + (listed == null ? " does not list it" : " places it in '" + listed + "'"));
            }
            found.add(tensor);
          }
          checkComplete(index, weightMap, shards.get(shard), found);
          return contents;
        });
  }

  private static void checkComplete(
      Path index, Map<String, String> weightMap, String shard, Set<String> found) {
    weightMap.forEach(
        (tensor, listed) -> {
          if (listed.equals(shard) && !found.contains(tensor) && !isTied(tensor)) {
            throw new FileFormatException(
                index + ": tensor '" + tensor + "' is not in its shard '" + shard + "'");
          }
        });
  }

  private static boolean isTied(String tensor) {
    return TIED.stream().anyMatch(tensor::endsWith);
  }

  private static Map<String, String> readWeightMap(Path index) throws IOException {
    JsonNode map = JsonConfig.tree(index, InputFile.read(index, MAX_BYTES), JSON).get("weight_map");
    if (map == null || !map.isObject() || map.isEmpty()) {
      throw new FileFormatException(
          index + ": expected an object 'weight_map' from tensor names to files, found none");
    }
    Map<String, String> weightMap = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> entry : map.properties()) {
      if (!entry.getValue().isTextual()) {
        throw new FileFormatException(
            index + ": weight_map: the file of '" + entry.getKey() + "' is not a string");
      }
      weightMap.put(entry.getKey(), entry.getValue().textValue());
    }
    return weightMap;
  }

  private static Path resolve(Path index, Path folder, String shard) {
    Path resolved;
    try {
      resolved = folder.resolve(shard).normalize();
    } catch (InvalidPathException e) {
      throw new FileFormatException(index + ": '" + shard + "' is no file name", e);
    }
    // By name only: in a Hugging Face cache the files are links out of the folder, put there by the
    // user's own tools. A name that leads out comes with the download.
    if (!resolved.startsWith(folder.normalize()) || resolved.equals(folder.normalize())) {
      throw new FileFormatException(
          index + ": the shard '" + shard + "' lies outside the folder of its index");
    }
    return resolved;
  }
}
