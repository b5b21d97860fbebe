package io.github.urae.benchmarks;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Structure;
import com.sun.jna.Structure.FieldOrder;

/** What the GNU C library tells of the memory that it hands out: mallinfo2(3). */
final class CHeap {

  private static final C LIBRARY = Native.load("c", C.class);

  private CHeap() {}

  /** Returns the bytes that were handed out and not given back, in heaps and mappings. */
  static double inUse() {
    MallocInfo info = LIBRARY.mallinfo2();
    return info.uordblks + (double) info.hblkhd;
  }

  /** The function; JNA wants interface and structure public. */
  public interface C extends Library {
    /** Returns the figures of all arenas. */
    MallocInfo mallinfo2();
  }

  /** C's {@code struct mallinfo2}, by the names in its manual. */
  @FieldOrder({
    "arena",
    "ordblks",
    "smblks",
    "hblks",
    "hblkhd",
    "usmblks",
    "fsmblks",
    "uordblks",
    "fordblks",
    "keepcost"
  })
  public static final class MallocInfo extends Structure implements Structure.ByValue {
    public long arena;
    public long ordblks;
    public long smblks;
    public long hblks;
    public long hblkhd;
    public long usmblks;
    public long fsmblks;
    public long uordblks;
    public long fordblks;
    public long keepcost;
  }
}
