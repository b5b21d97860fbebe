package io.github.urae.adapter.internal.match;

import io.github.urae.flux.model.Component;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.util.List;

/**
 * What tells a network's weights from others: a digest of those that every file of the network
 * holds. Tables and buffers of text encoders are left out, which some files lack or hold twice.
 */
public final class NetworkFingerprint {

  private NetworkFingerprint() {}

  /**
   * Digests the weights of a network.
   *
   * @param network no tokenizer
   * @param weights by diffusers' names; may hold other networks' as well
   * @return 40 hexadecimal digits
   * @throws IOException if a file cannot be read
   */
  public static String of(Component network, TensorSource weights) throws IOException {
    List<String> names =
        weights.tensors().values().stream()
            .filter(tensor -> tensor.shape().rank() >= 2)
            .map(TensorInfo::name)
            .filter(name -> isOwn(network, name))
            .toList();
    return BaseFingerprint.of(weights, names);
  }

  private static boolean isOwn(Component network, String name) {
    return switch (network) {
      case VAE_ENCODER -> name.startsWith("encoder.");
      case VAE_DECODER -> name.startsWith("decoder.");
      case TEXT_ENCODER -> name.contains(".layers.");
      case TEXT_ENCODER_2 -> name.contains(".block.");
      case TRANSFORMER -> true;
      case TOKENIZER, TOKENIZER_2 -> throw new IllegalArgumentException("no network");
    };
  }
}
