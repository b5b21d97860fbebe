package io.github.urae.training.internal.data;

import io.github.urae.UraeException;
import io.github.urae.image.ReadLimits;
import io.github.urae.image.RgbImage;
import io.github.urae.internal.InputFile;
import io.github.urae.internal.Sha256;
import java.io.ByteArrayInputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Reads pictures and brings them to size on threads of its own, as many ahead as there are threads.
 * One thread may take; owns its threads.
 */
final class PictureReader implements Closeable {

  /**
   * A picture of the size in which it is encoded.
   *
   * @param digest of its file
   * @param enlarged whether it was smaller
   */
  record SizedPicture(RgbImage image, String digest, boolean enlarged) {}

  /** A picture, or why there is none. */
  record Result(Optional<SizedPicture> picture, String fault) {}

  private final Iterator<Path> files;
  private final PictureSizing sizing;
  private final int ahead;
  private final ExecutorService executor;
  private final Deque<Path> waiting = new ArrayDeque<>();
  private final Deque<Future<Result>> results = new ArrayDeque<>();

  PictureReader(List<Path> files, PictureSizing sizing, int threads) {
    this.files = files.iterator();
    this.sizing = sizing;
    this.ahead = threads;
    this.executor =
        Executors.newFixedThreadPool(
            threads,
            work -> {
              Thread thread = new Thread(work, "urae-pictures");
              thread.setDaemon(true);
              return thread;
            });
    fill();
  }

  private void fill() {
    while (results.size() < ahead && files.hasNext()) {
      Path file = files.next();
      waiting.add(file);
      results.add(executor.submit(() -> read(file)));
    }
  }

  /**
   * Returns the next picture, waiting for it.
   *
   * @throws IOException never for a bad picture, only where this thread was interrupted
   */
  Result next() throws IOException {
    Path file = waiting.remove();
    Result result;
    try {
      result = results.remove().get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while a picture was read");
    } catch (ExecutionException e) {
      // Several at once may take more memory than there is; one alone may not.
      result = e.getCause() instanceof OutOfMemoryError ? again(file) : failed(e.getCause());
    }
    fill();
    return result;
  }

  private Result again(Path file) {
    try {
      return read(file);
    } catch (OutOfMemoryError e) {
      return new Result(
          Optional.empty(), "does not fit into Java's memory; allow more with -Xmx: " + e);
    }
  }

  private static Result failed(Throwable failure) {
    if (failure instanceof Error error) {
      throw error;
    }
    return new Result(Optional.empty(), "cannot be read: " + failure);
  }

  private Result read(Path file) {
    try {
      byte[] content = InputFile.read(file, ReadLimits.DEFAULTS.maxFileBytes());
      MessageDigest digest = Sha256.start();
      digest.update(content);
      RgbImage image =
          RgbImage.read(new ByteArrayInputStream(content), file.getFileName().toString());
      return new Result(
          Optional.of(
              new SizedPicture(sizing.applied(image), Sha256.name(digest), sizing.enlarges(image))),
          "");
    } catch (UraeException e) {
      return new Result(Optional.empty(), e.getMessage());
    } catch (IOException e) {
      return new Result(Optional.empty(), "cannot be read: " + e);
    }
  }

  @Override
  public void close() {
    executor.shutdownNow();
  }
}
