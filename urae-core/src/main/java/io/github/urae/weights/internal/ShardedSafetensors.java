package io.github.urae.weights.internal;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.urae.FileFormatException;
import io.github.urae.internal.OwnedResources;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A checkpoint in several safetensors files, described by an index ({@code *.index.json} with a
 * {@code weight_map} from tensor to file).
 */
public final class ShardedSafetensors implements TensorSource {

  private static final JsonMapper JSON =
      JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  private final Map<String, SafetensorsFile> shards;
  private final Map<String, SafetensorsFile> shardOf;
  private final Map<String, TensorInfo> tensors;
  private final OwnedResources opened;

  private ShardedSafetensors(
      Map<String, SafetensorsFile> shards,
      Map<String, SafetensorsFile> shardOf,
      Map<String, TensorInfo> tensors,
      OwnedResources opened) {
    this.opened = opened;
    this.shards = shards;
    this.shardOf = shardOf;
    this.tensors = tensors;
  }

  /**
   * Opens all shards of an index and checks that index and shards hold the same tensors.
   *
   * @param index a {@code *.safetensors.index.json} file; its shards lie in the same folder or
   *     below
   * @return the open checkpoint; the caller closes it
   * @throws IOException if a file is missing or cannot be read
   * @throws FileFormatException if the index or a shard breaks its format, or they disagree
   */
  public static ShardedSafetensors open(Path index) throws IOException {
    Map<String, String> weightMap = readWeightMap(index);
    Path folder = index.toAbsolutePath().getParent();
    OwnedResources opened = new OwnedResources();
    try {
      Map<String, SafetensorsFile> shards = new LinkedHashMap<>();
      for (String name : weightMap.values().stream().distinct().sorted().toList()) {
        shards.put(name, opened.add(SafetensorsFile.open(resolve(index, folder, name))));
      }
      return collect(index, weightMap, shards, opened);
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  private static Map<String, String> readWeightMap(Path index) throws IOException {
    JsonNode map;
    try {
      JsonNode root = JSON.readTree(Files.readAllBytes(index));
      map = root == null ? null : root.get("weight_map");
    } catch (JsonProcessingException e) {
      throw new FileFormatException(
          index + ": not a valid JSON index: " + e.getOriginalMessage(), e);
    }
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

  private static ShardedSafetensors collect(
      Path index,
      Map<String, String> weightMap,
      Map<String, SafetensorsFile> shards,
      OwnedResources opened) {
    Map<String, SafetensorsFile> shardOf = new LinkedHashMap<>();
    Map<String, TensorInfo> tensors = new LinkedHashMap<>();
    shards.forEach(
        (shardName, shard) -> {
          for (TensorInfo info : shard.tensors().values()) {
            String listed = weightMap.get(info.name());
            if (!shardName.equals(listed)) {
              throw new FileFormatException(
                  shard.path()
                      + ": tensor '"
                      + info.name()
                      + "': the index "
                      + index
                      + (listed == null ? " does not list it" : " places it in '" + listed + "'"));
            }
            shardOf.put(info.name(), shard);
            tensors.put(info.name(), info);
          }
        });
    weightMap.forEach(
        (name, shardName) -> {
          if (!tensors.containsKey(name)) {
            throw new FileFormatException(
                index + ": tensor '" + name + "' is not in its shard '" + shardName + "'");
          }
        });
    return new ShardedSafetensors(shards, shardOf, Collections.unmodifiableMap(tensors), opened);
  }

  @Override
  public Map<String, TensorInfo> tensors() {
    return tensors;
  }

  @Override
  public Map<String, String> metadata() {
    return shards.values().iterator().next().metadata();
  }

  @Override
  public List<Path> files() {
    return shards.values().stream().map(SafetensorsFile::path).toList();
  }

  @Override
  public Tensor tensor(String name) throws IOException {
    return shard(name).tensor(name);
  }

  @Override
  public void read(String name, long position, ByteBuffer target) throws IOException {
    shard(name).read(name, position, target);
  }

  @Override
  public void checkUnchanged() throws IOException {
    for (SafetensorsFile shard : shards.values()) {
      shard.checkUnchanged();
    }
  }

  private SafetensorsFile shard(String name) {
    SafetensorsFile shard = shardOf.get(name);
    if (shard == null) {
      throw new IllegalArgumentException("the checkpoint holds no tensor '" + name + "'");
    }
    return shard;
  }

  @Override
  public void close() throws IOException {
    opened.close();
  }
}
