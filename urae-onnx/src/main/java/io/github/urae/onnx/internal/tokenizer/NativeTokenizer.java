package io.github.urae.onnx.internal.tokenizer;

import ai.djl.huggingface.tokenizers.jni.CharSpan;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import io.github.urae.FileFormatException;
import io.github.urae.internal.NativeLibraries;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.LongFunction;

/** A tokenizer of the native library, made from a {@code tokenizer.json}. Thread-safe. */
final class NativeTokenizer implements Closeable {

  private final ReadWriteLock lock = new ReentrantReadWriteLock();
  private long handle;

  private NativeTokenizer(long handle) {
    this.handle = handle;
  }

  /**
   * Creates a tokenizer.
   *
   * @param json content of a {@code tokenizer.json}; every value must be checked, for on many the
   *     native library ends the process
   * @param origin the file that it comes from, for messages
   */
  static NativeTokenizer create(String json, Path origin) throws IOException {
    TokenizerLibrary.load();
    long handle;
    try {
      handle = TokenizersLibrary.LIB.createTokenizerFromString(json);
    } catch (IllegalCallerException e) {
      throw NativeLibraries.denied("tokenizers", e);
    } catch (RuntimeException e) {
      throw new FileFormatException(origin + ": not a valid tokenizer: " + e.getMessage(), e);
    }
    return new NativeTokenizer(handle);
  }

  /** Returns the ids of a text, without special tokens around them. */
  long[] encode(String text) {
    return encoded(text, TokenizersLibrary.LIB::getTokenIds);
  }

  /** Returns what follows a number of tokens of a text, without white space around it. */
  String after(String text, int tokens) {
    CharSpan[] spans = encoded(text, TokenizersLibrary.LIB::getTokenCharSpans);
    if (spans.length <= tokens) {
      return "";
    }
    // The library counts code points.
    return text.substring(text.offsetByCodePoints(0, spans[tokens].getStart())).strip();
  }

  private <T> T encoded(String given, LongFunction<T> read) {
    String text = whole(given);
    lock.readLock().lock();
    try {
      if (handle == 0) {
        throw new IllegalStateException("this tokenizer is closed");
      }
      long encoding = TokenizersLibrary.LIB.encode(handle, text, false);
      try {
        return read.apply(encoding);
      } finally {
        TokenizersLibrary.LIB.deleteEncoding(encoding);
      }
    } finally {
      lock.readLock().unlock();
    }
  }

  /** Halves of characters, which no encoding has, become as many replacement characters. */
  private static String whole(String text) {
    boolean whole =
        text.codePoints()
            .noneMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
    return whole
        ? text
        : text.codePoints()
            .map(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE ? 0xFFFD : c)
            .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
            .toString();
  }

  @Override
  public void close() {
    lock.writeLock().lock();
    try {
      if (handle != 0) {
        TokenizersLibrary.LIB.deleteTokenizer(handle);
        handle = 0;
      }
    } finally {
      lock.writeLock().unlock();
    }
  }
}
