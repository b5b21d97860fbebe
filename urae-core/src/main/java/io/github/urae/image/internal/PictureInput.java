package io.github.urae.image.internal;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import javax.imageio.stream.MemoryCacheImageInputStream;

/**
 * A picture's bytes for ImageIO's readers, in memory: ImageIO's default would write a temporary
 * file.
 *
 * <p>The reader of WebP goes on behind the end of its data, an exception for every symbol, which
 * takes minutes where a damaged header claims many pixels. Without stack traces it takes seconds.
 */
final class PictureInput extends MemoryCacheImageInputStream {

  PictureInput(byte[] content) {
    super(new ByteArrayInputStream(content));
  }

  @Override
  public byte readByte() throws IOException {
    int value = read();
    if (value < 0) {
      throw new End();
    }
    return (byte) value;
  }

  private static final class End extends EOFException {

    private static final long serialVersionUID = 1;

    @Override
    public synchronized Throwable fillInStackTrace() {
      return this;
    }
  }
}
