package io.github.urae.internal;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.OptionalLong;
import javax.imageio.IIOException;

/** Why a file could not be read or written, in words: Java's exceptions often tell half of it. */
public final class FileFailure {

  private FileFailure() {}

  /**
   * Returns what went wrong.
   *
   * @param failure of a file
   * @return the reason, and the path that Java names
   */
  public static String reason(IOException failure) {
    if (failure instanceof IIOException && failure.getCause() instanceof IOException cause) {
      return reason(cause); // Of pictures Java tells only that it failed.
    }
    if (!(failure instanceof FileSystemException told) || told.getReason() != null) {
      return failure.getMessage() == null ? failure.toString() : failure.getMessage();
    }
    String what =
        failure instanceof NoSuchFileException
            ? "no such file or folder"
            : failure instanceof AccessDeniedException
                ? "access denied"
                : failure instanceof FileAlreadyExistsException
                    ? "is there already, or is no folder"
                    : failure instanceof DirectoryNotEmptyException
                        ? "is a folder that is not empty"
                        : failure.getClass().getSimpleName();
    return told.getFile() + ": " + what;
  }

  /**
   * Says that a file could not be written.
   *
   * @param file what was to be
   * @param bytes its size, if known
   * @param cause what Java says, mostly without the path: a full disk, a limit, a quota
   * @return an exception that names the file, its size and the space that is left
   */
  public static IOException ofWriting(Path file, OptionalLong bytes, IOException cause) {
    StringBuilder message = new StringBuilder(file + ": could not be written");
    bytes.ifPresent(count -> message.append(" (").append(count).append(" bytes)"));
    message.append(": ").append(reason(cause));
    if (SpecialFile.is(file)) {
      return new IOException(message.toString(), cause);
    }
    try {
      Path folder = file.toAbsolutePath().getParent();
      message
          .append("; ")
          .append(Files.getFileStore(folder).getUsableSpace())
          .append(" bytes are free in ")
          .append(folder);
    } catch (IOException e) {
      cause.addSuppressed(e);
    }
    return new IOException(message.toString(), cause);
  }

  /**
   * Refuses to begin what does not fit on a disk.
   *
   * @param folder where it is to be
   * @param what what is to be written there, for the message
   * @param bytes its size
   * @throws IOException if less is free
   */
  public static void checkSpace(Path folder, String what, long bytes) throws IOException {
    long free = Files.getFileStore(folder).getUsableSpace();
    if (bytes > free) {
      throw new IOException(
          folder
              + ": "
              + what
              + " takes up to "
              + bytes
              + " bytes, but only "
              + free
              + " are free; make room, or choose a folder on another disk");
    }
  }
}
