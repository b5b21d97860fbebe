package io.github.urae.training.internal.data;

import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.UraeException;
import io.github.urae.internal.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The pictures that can be trained on: those of a folder whose caches are there. Holds no file
 * open. Immutable, thread-safe.
 *
 * @param examples in the order of their names, at least one
 * @param skipped pictures without caches
 */
public record DataSet(List<CachedExample> examples, List<Skipped> skipped) {

  /** As many are named in a message. */
  private static final int NAMED = 3;

  /** Copies the lists. */
  public DataSet {
    examples = List.copyOf(examples);
    skipped = List.copyOf(skipped);
  }

  /**
   * Reads the headers of all caches.
   *
   * @param folder of pictures; where it holds none, the caches alone count
   * @param caches the same folder, or where caches lie in its structure
   * @throws IOException if a folder or file is missing or cannot be read
   * @throws FileFormatException if a cache is damaged, caches were made in different ways, or there
   *     is nothing to train on
   */
  public static DataSet open(Path folder, Path caches) throws IOException {
    PictureFolder pictures = PictureFolder.scan(folder);
    List<Skipped> skipped = new ArrayList<>(pictures.skipped());
    Map<String, Path> files = new HashMap<>(pictures.pictures());
    Collection<String> names = pictures.pictures().keySet();
    CachePaths paths = new CachePaths(caches.normalize());
    if (names.isEmpty()) {
      names = cachedNames(paths.root());
      names.forEach(name -> files.put(name, paths.latents(name)));
    }
    List<CachedExample> examples = new ArrayList<>();
    List<String> faults = new ArrayList<>();
    for (String name : names) {
      try {
        Optional<String> lack = add(paths, name, examples);
        lack.ifPresent(reason -> skipped.add(new Skipped(files.get(name), reason)));
      } catch (UraeException e) {
        faults.add(e.getMessage());
      }
    }
    if (!faults.isEmpty()) {
      throw new FileFormatException(listed(faults, "caches cannot be used"));
    }
    if (examples.isEmpty()) {
      throw new FileFormatException(nothing(folder, skipped));
    }
    DataSet data = new DataSet(examples, skipped);
    data.checkUniform();
    return data;
  }

  private static Optional<String> add(CachePaths paths, String name, List<CachedExample> examples)
      throws IOException {
    Path latents = paths.latents(name);
    if (!Files.exists(latents)) {
      return Optional.of("has no " + latents.getFileName() + ": prepare the folder");
    }
    Optional<CacheFile> prompt = text(paths, name, CaptionKind.PROMPT);
    Optional<CacheFile> generated = text(paths, name, CaptionKind.GENERATED_PROMPT);
    if (prompt.isEmpty() && generated.isEmpty()) {
      return Optional.of(
          "has no "
              + paths.text(name, CaptionKind.PROMPT).getFileName()
              + " nor that of a generated prompt: prepare the folder");
    }
    examples.add(new CachedExample(name, CacheFile.ofLatents(latents), prompt, generated));
    return Optional.empty();
  }

  private static Optional<CacheFile> text(CachePaths paths, String name, CaptionKind kind)
      throws IOException {
    Path file = paths.text(name, kind);
    return Files.exists(file) ? Optional.of(CacheFile.ofText(file)) : Optional.empty();
  }

  private static List<String> cachedNames(Path root) throws IOException {
    try (Stream<Path> files = Files.walk(root)) {
      return files
          .filter(file -> file.getFileName().toString().endsWith(CachePaths.LATENTS))
          .map(file -> root.relativize(file).toString().replace('\\', '/'))
          .map(name -> name.substring(0, name.length() - CachePaths.LATENTS.length()))
          .sorted()
          .toList();
    }
  }

  private static String listed(List<String> faults, String what) {
    return faults.size() + " " + what + ": " + String.join("; ", first(faults));
  }

  private static List<String> first(List<String> all) {
    List<String> some = new ArrayList<>(all.subList(0, Math.min(NAMED, all.size())));
    if (all.size() > NAMED) {
      some.add("and so on");
    }
    return some;
  }

  private static String nothing(Path folder, List<Skipped> skipped) {
    List<String> reasons =
        skipped.stream().map(one -> one.file().getFileName() + " " + one.reason()).toList();
    return folder
        + ": expected pictures with caches to train on, found "
        + (reasons.isEmpty() ? "no picture" : "none: " + String.join("; ", first(reasons)))
        + "; 'urae train prepare' makes caches";
  }

  /** Caches of one folder are to be of one model, and made in one way. */
  private void checkUniform() {
    CachedExample first = examples.get(0);
    for (CachedExample example : examples) {
      if (example.channels() != first.channels()) {
        throw differs(example.latents(), first.latents(), "channels of latents");
      }
      for (CacheFile text : example.texts()) {
        CacheFile other = first.texts().get(0);
        if (text.first().dimension(1) != other.first().dimension(1)
            || text.second().dimension(0) != other.second().dimension(0)) {
          throw differs(text, other, "width of embeddings");
        }
      }
    }
    checkNoted(
        examples.stream().map(CachedExample::latents).toList(),
        Map.of(
            CacheStamp.VAE, "autoencoder",
            CacheStamp.RESOLUTION, "resolution",
            CacheStamp.FIT, "way of resizing"));
    checkNoted(
        examples.stream().flatMap(example -> example.texts().stream()).toList(),
        Map.of(CacheStamp.CLIP, "CLIP text encoder", CacheStamp.T5, "T5 encoder"));
  }

  private static void checkNoted(List<CacheFile> files, Map<String, String> keys) {
    keys.forEach(
        (key, what) -> {
          List<CacheFile> noted =
              files.stream().filter(file -> file.stamp().containsKey(key)).toList();
          for (CacheFile file : noted) {
            if (!file.stamp().get(key).equals(noted.get(0).stamp().get(key))) {
              throw differs(file, noted.get(0), what);
            }
          }
        });
  }

  private static FileFormatException differs(CacheFile one, CacheFile other, String what) {
    return new FileFormatException(
        one.file()
            + ": was made with another "
            + what
            + " than "
            + other.file()
            + "; prepare the folder again and let what differs be made anew");
  }

  /**
   * Checks that the caches are those of a model.
   *
   * @param channels of its latents
   * @param textWidth of the sequence that its transformer reads
   * @param pooledWidth of the pooled embedding that it reads
   * @throws ModelException if they are not
   */
  public void checkModel(int channels, int textWidth, int pooledWidth) {
    CachedExample first = examples.get(0);
    check(first.latents(), "channels of latents", channels, first.channels());
    check(first.texts().get(0), "width of T5's embeddings", textWidth, first.textWidth());
    check(first.texts().get(0), "width of CLIP's embedding", pooledWidth, first.pooledWidth());
  }

  private static void check(CacheFile file, String what, int expected, int found) {
    if (expected != found) {
      throw new ModelException(
          file.file()
              + ": was made for another model: expected a "
              + what
              + " of "
              + expected
              + ", found "
              + found
              + "; prepare the folder with this model");
    }
  }

  /**
   * Returns what was noted of the autoencoder that made the latents.
   *
   * @return its fingerprint; empty for caches of URAE's scripts
   */
  public Optional<String> vaeFingerprint() {
    return examples.stream()
        .map(example -> example.latents().stamp().get(CacheStamp.VAE))
        .filter(noted -> noted != null)
        .findFirst();
  }

  /**
   * Returns what tells the pictures and captions from others: a digest of their names, and of what
   * their caches hold. Tensors of up to 256 kB are taken whole, and of larger ones 64 pieces of 4
   * kB, spread evenly: of 3,000 pictures of 2048x2048 pixels with two captions 2.5 GB of 37 are
   * read.
   *
   * @return 40 hexadecimal digits
   * @throws IOException if a cache cannot be read
   * @throws FileFormatException if one is damaged
   */
  public String digest() throws IOException {
    MessageDigest digest = Sha256.start();
    for (CachedExample example : examples) {
      digest.update((example.name() + "\0").getBytes(StandardCharsets.UTF_8));
      example.digestInto(digest);
    }
    return Sha256.name(digest);
  }

  /**
   * Takes some pictures out, to be kept from training. Which ones depends on the seed and the
   * number of pictures alone.
   *
   * @param count pictures of the second part, fewer than all
   * @return the rest, and those; both in the order of names
   * @throws IllegalArgumentException if nothing would be left, or nothing taken
   */
  public List<DataSet> split(int count, long seed) {
    int size = examples.size();
    if (count < 1 || count >= size) {
      throw new IllegalArgumentException(
          "held-out pictures: expected 1 to " + (size - 1) + " of " + size + ", got " + count);
    }
    int[] order = new DataOrder(seed, size).permutation(0);
    boolean[] held = new boolean[size];
    for (int i = 0; i < count; i++) {
      held[order[i]] = true;
    }
    List<CachedExample> rest = new ArrayList<>();
    List<CachedExample> taken = new ArrayList<>();
    for (int i = 0; i < size; i++) {
      (held[i] ? taken : rest).add(examples.get(i));
    }
    return List.of(new DataSet(rest, skipped), new DataSet(taken, List.of()));
  }
}
