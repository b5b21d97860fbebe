package io.github.urae.adapter.internal.match;

import io.github.urae.AdapterException;
import io.github.urae.adapter.AdapterFormat;
import io.github.urae.adapter.internal.format.ParsedAdapter;
import io.github.urae.internal.Sha256;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.TreeSet;

/**
 * What a converted adapter was made from: the weights that it was computed on, and the adapters
 * that it contains. Recorded in its metadata, compared when it is used.
 *
 * <p>Weights are identified by a sample of their values, rounded to bfloat16: the same for a
 * checkpoint in one file or several, in bfloat16 or in float32.
 */
public final class BaseFingerprint {

  /** Metadata: digest of the base weights. */
  public static final String BASE_KEY = "urae_base";

  /** Metadata: digests of the adapters that were converted, in order, with commas. */
  public static final String CHAIN_KEY = "urae_chain";

  /** Values looked at in each weight, evenly spaced. */
  private static final int SAMPLES = 64;

  private BaseFingerprint() {}

  /** Returns a digest of some weights of a model. */
  public static String of(TensorSource weights, Collection<String> names) throws IOException {
    MessageDigest digest = Sha256.start();
    float[] value = new float[1];
    for (String name : new TreeSet<>(names)) {
      TensorInfo info = weights.tensors().get(name);
      digest.update(name.getBytes(StandardCharsets.UTF_8));
      digest.update(info.shape().toString().getBytes(StandardCharsets.UTF_8));
      long count = info.shape().elementCount();
      for (int i = 0; i < SAMPLES && count > 0; i++) {
        long element = count * i / SAMPLES;
        weights.readFloats(name, element, value, 0, 1);
        short rounded = Elements.toBfloat16(value[0]);
        digest.update((byte) rounded);
        digest.update((byte) (rounded >> 8));
      }
    }
    return Sha256.name(digest);
  }

  /**
   * Refuses an adapter that was computed for other weights, or does not go with the others of its
   * chain. One without records passes.
   *
   * @param index its place in the chain
   * @param chain all adapters, in order
   * @param transformer the weights of the model
   * @param names those of them that the adapter changes
   */
  static void check(
      int index, List<ParsedAdapter> chain, TensorSource transformer, Collection<String> names)
      throws IOException {
    ParsedAdapter adapter = chain.get(index);
    String recorded = adapter.metadata().get(BASE_KEY);
    if (recorded == null) {
      return;
    }
    String found = of(transformer, names);
    if (!found.equals(recorded)) {
      throw new AdapterException(
          adapter.path()
              + ": was computed for a checkpoint with fingerprint "
              + recorded
              + ", but this one has "
              + found
              + "; compute it anew for this checkpoint");
    }
    List<String> recordedChain =
        adapter.metadata().getOrDefault(CHAIN_KEY, "").isEmpty()
            ? List.of()
            : List.of(adapter.metadata().get(CHAIN_KEY).split(",", -1));
    if (adapter.format() == AdapterFormat.MINOR_COMPONENTS) {
      checkBefore(adapter, chain.subList(0, index), recordedChain);
    } else {
      checkContained(adapter, index, chain, recordedChain);
    }
  }

  /** Minor components belong on top of the adapters that they were computed on. */
  private static void checkBefore(
      ParsedAdapter adapter, List<ParsedAdapter> before, List<String> recordedChain)
      throws IOException {
    List<String> digests = new ArrayList<>();
    for (ParsedAdapter other : before) {
      digests.add(other.digest());
    }
    if (!digests.equals(recordedChain)) {
      throw new AdapterException(
          adapter.path()
              + ": was computed on top of "
              + recordedChain.size()
              + " adapters, which are not the "
              + before.size()
              + " before it; expected those"
              + " files, in the same order");
    }
  }

  /** A converted adapter holds others, which must not be applied once more. */
  private static void checkContained(
      ParsedAdapter adapter, int index, List<ParsedAdapter> chain, List<String> recordedChain)
      throws IOException {
    for (int i = 0; i < chain.size(); i++) {
      if (i != index && recordedChain.contains(chain.get(i).digest())) {
        throw new AdapterException(
            adapter.path() + ": contains " + chain.get(i).path() + " already; leave that one out");
      }
    }
  }
}
