package io.github.urae.internal;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.Version;
import com.fasterxml.jackson.core.json.PackageVersion;
import io.github.urae.InferenceException;

/**
 * Readers of JSON that others wrote: what is nested too deep, has too many parts or a number of too
 * many digits is no JSON to them. All readers are made here; the size of a file is bounded where it
 * is read. Jackson 2.15 is enough: what only later ones bound, {@link JsonTrees} bounds, too.
 */
public final class BoundedJson {

  /** Digits of a number: more than any that means something, few enough to be converted. */
  private static final int MAX_NUMBER_LENGTH = 400;

  /**
   * Keys, values, beginnings and ends. A tree of as many takes up to 250 MB; the largest that is
   * read, of T5's tokenizer, has 130 000.
   */
  static final long MAX_TOKENS = 1 << 21;

  private static final int MAX_DEPTH = 64;

  /** The first Jackson 2.x that bounds what it reads. */
  private static final int LEAST_MINOR = 15;

  private BoundedJson() {}

  /**
   * Begins a factory whose readers and writers leave nothing with the threads that use them:
   * Jackson would keep a buffer with each, and its classes with that where an application is
   * deployed again in a running process.
   *
   * @return a builder of one that bounds nothing
   */
  public static JsonFactoryBuilder factory() {
    return new JsonFactoryBuilder()
        .disable(JsonFactory.Feature.USE_THREAD_LOCAL_FOR_BUFFER_RECYCLING);
  }

  /**
   * Begins a factory of readers that make trees.
   *
   * @return a builder of one for up to 64 levels
   */
  public static JsonFactoryBuilder trees() {
    return trees(MAX_DEPTH, StreamReadConstraints.DEFAULT_MAX_STRING_LEN);
  }

  /**
   * Begins a factory of readers that make trees.
   *
   * @param maxDepth objects and arrays inside of each other
   * @param maxTextLength characters of a text or key
   * @return a builder of it
   */
  public static JsonFactoryBuilder trees(int maxDepth, int maxTextLength) {
    return factory()
        // Keys of strangers are not worth a place in the JVM's table.
        .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
        .streamReadConstraints(treeLimits(maxDepth, maxTextLength).build());
  }

  private static StreamReadConstraints.Builder treeLimits(int maxDepth, int maxTextLength) {
    StreamReadConstraints.Builder limits = limits(maxDepth, maxTextLength);
    return hasMinor(18) ? limits.maxTokenCount(MAX_TOKENS) : limits;
  }

  /**
   * Returns limits of a reader that makes no tree, so that any number of parts may come by.
   *
   * @param maxDepth objects and arrays inside of each other
   * @param maxTextLength characters of a text or key
   * @return a builder of the limits
   */
  public static StreamReadConstraints.Builder limits(int maxDepth, int maxTextLength) {
    StreamReadConstraints.Builder limits =
        StreamReadConstraints.builder()
            .maxNestingDepth(maxDepth)
            .maxNumberLength(MAX_NUMBER_LENGTH)
            .maxStringLength(maxTextLength);
    return hasMinor(16) ? limits.maxNameLength(maxTextLength) : limits;
  }

  private static boolean hasMinor(int minor) {
    return PackageVersion.VERSION.getMinorVersion() >= minor;
  }

  /**
   * Tells whoever has an older Jackson than this library works with.
   *
   * @throws InferenceException if the Jackson of this process does not bound what it reads
   */
  public static void checkVersion() {
    checkVersion(PackageVersion.VERSION);
  }

  static void checkVersion(Version found) {
    if (found.getMajorVersion() != 2 || found.getMinorVersion() < LEAST_MINOR) {
      throw new InferenceException(
          "com.fasterxml.jackson.core:jackson-core: expected 2."
              + LEAST_MINOR
              + " or a later 2.x, found "
              + found
              + "; raise the version that the application asks for");
    }
  }
}
