package io.github.urae.weights;

import java.util.Map;

/**
 * Recognises an encoding that a file's format does not name: in safetensors, everything but plain
 * elements, for instance float8 weights whose scales are tensors of their own.
 *
 * <p>Found by {@link java.util.ServiceLoader}: an implementation is registered in {@code
 * META-INF/services/io.github.urae.weights.WeightEncodingProvider}, has a public constructor
 * without parameters, and is thread-safe.
 */
public interface WeightEncodingProvider {

  /**
   * Looks through the tensors of a checkpoint.
   *
   * @param stored immutable; as the files and the providers before this one describe them
   * @param metadata strings of the files, {@code __metadata__} in safetensors
   * @return the same map where nothing is recognised; otherwise every tensor by its name, those
   *     that are recognised in their true shape and encoding, without those that are companions
   *     only
   * @throws io.github.urae.UraeException if tensors break the encoding, or are of a variety that is
   *     not supported
   */
  Map<String, TensorInfo> recognise(Map<String, TensorInfo> stored, Map<String, String> metadata);
}
