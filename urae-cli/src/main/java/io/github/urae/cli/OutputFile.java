package io.github.urae.cli;

import io.github.urae.internal.FileFailure;
import io.github.urae.internal.FileReplacement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Checks of files to be written: minutes of work should not end in one that cannot be. */
final class OutputFile {

  private OutputFile() {}

  static void checkWritable(Path file) throws IOException {
    Path folder = checkFolder(FileReplacement.place(file));
    try {
      Files.delete(Files.createTempFile(folder, ".urae", null));
    } catch (IOException e) {
      throw new IOException(
          file
              + ": cannot be written: "
              + folder
              + " takes no files ("
              + FileFailure.reason(e)
              + ")",
          e);
    }
  }

  /** Returns the folder that the file will be in. */
  static Path checkFolder(Path file) throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    if (folder == null || !Files.isDirectory(folder)) {
      throw new IOException(folder + ": no such folder, so " + file + " cannot be written");
    }
    return folder;
  }
}
