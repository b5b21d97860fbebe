package io.github.urae.weights.internal;

import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/**
 * A piece of a file, mapped read-only, and released at once when it is not needed any more: left to
 * the garbage collector, which does not see its size, it would stay for long, and on Windows keep
 * the file from being replaced. Java has a way since 22, and an internal one before, of which it
 * warns by now; this is compiled for 17, so both are looked up.
 */
abstract class FileMapping {

  private static final int FIRST_WITH_ARENAS = 22;

  /** The largest buffer that Java makes of memory in an arena. */
  private static final int MOST_IN_ARENA = Integer.MAX_VALUE - 8;

  private final ByteBuffer buffer;

  private FileMapping(ByteBuffer buffer) {
    this.buffer = buffer;
  }

  /** Returns all of it, from 0 to its limit; not to be touched after {@link #release}. */
  ByteBuffer buffer() {
    return buffer;
  }

  /** Releases it; to be called once. */
  abstract void release();

  /** Maps a piece of less than 2 GiB. */
  static FileMapping of(FileChannel channel, long position, long length) throws IOException {
    return Runtime.version().feature() >= FIRST_WITH_ARENAS && length <= MOST_IN_ARENA
        ? InArena.map(channel, position, length)
        : new Cleaned(channel.map(FileChannel.MapMode.READ_ONLY, position, length));
  }

  private static Object call(Method method, Object target, Object... arguments) {
    try {
      return method.invoke(target, arguments);
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new IllegalStateException(method.getName() + " of a file mapping failed", e.getCause());
    }
  }

  /** In an arena of its own (java.lang.foreign). */
  private static final class InArena extends FileMapping {

    private static final Method OPEN;
    private static final Method CLOSE;
    private static final Method MAP;
    private static final Method AS_BUFFER;

    static {
      try {
        Class<?> arena = Class.forName("java.lang.foreign.Arena");
        OPEN = arena.getMethod("ofShared");
        CLOSE = arena.getMethod("close");
        MAP =
            FileChannel.class.getMethod(
                "map", FileChannel.MapMode.class, long.class, long.class, arena);
        AS_BUFFER = Class.forName("java.lang.foreign.MemorySegment").getMethod("asByteBuffer");
      } catch (ReflectiveOperationException e) {
        throw new ExceptionInInitializerError(e);
      }
    }

    private final Object arena;

    private InArena(Object arena, ByteBuffer buffer) {
      super(buffer);
      this.arena = arena;
    }

    static InArena map(FileChannel channel, long position, long length) throws IOException {
      Object arena = call(OPEN, null);
      try {
        Object segment =
            MAP.invoke(channel, FileChannel.MapMode.READ_ONLY, position, length, arena);
        return new InArena(arena, (ByteBuffer) call(AS_BUFFER, segment));
      } catch (IllegalAccessException e) {
        throw new IllegalStateException(e);
      } catch (InvocationTargetException e) {
        call(CLOSE, arena);
        if (e.getCause() instanceof IOException cause) {
          throw cause;
        }
        throw new IOException("mapping failed", e.getCause());
      }
    }

    @Override
    void release() {
      call(CLOSE, arena);
    }
  }

  /** By the garbage collector's own means. */
  private static final class Cleaned extends FileMapping {

    private static final Object UNSAFE;
    private static final Method INVOKE_CLEANER;

    static {
      try {
        Class<?> unsafe = Class.forName("sun.misc.Unsafe");
        Field instance = unsafe.getDeclaredField("theUnsafe");
        instance.setAccessible(true);
        UNSAFE = instance.get(null);
        INVOKE_CLEANER = unsafe.getMethod("invokeCleaner", ByteBuffer.class);
      } catch (ReflectiveOperationException e) {
        throw new ExceptionInInitializerError(e);
      }
    }

    private Cleaned(ByteBuffer buffer) {
      super(buffer);
    }

    @Override
    void release() {
      call(INVOKE_CLEANER, UNSAFE, buffer());
    }
  }
}
