package io.github.urae.server.internal.picture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files of jobs are removed by whoever comes first. */
class PictureFilesTest {

  private static final String ID = "14d8".repeat(8);

  @TempDir Path data;

  private Path makeFiles() throws IOException {
    Path part = data.resolve("jobs").resolve(ID.substring(0, 2));
    Path tiles = Files.createDirectories(part.resolve(ID + "-0-tiles/1"));
    for (int i = 0; i < 10; i++) {
      Files.createFile(part.resolve(ID + "-" + i + ".png"));
      Files.createFile(tiles.resolve(i + ".jpg"));
    }
    return part;
  }

  /** As workers do that end jobs at the same time, each of which finds the same ones too many. */
  @Test
  void severalMayRemoveTheSameJob() throws Exception {
    PictureFiles files = new PictureFiles(data, new DecodingTurn());
    int workers = 4;
    CyclicBarrier together = new CyclicBarrier(workers);
    ExecutorService executor = Executors.newFixedThreadPool(workers);
    try {
      for (int round = 0; round < 40; round++) {
        Path part = makeFiles();
        Callable<Void> removal =
            () -> {
              together.await();
              files.remove(ID);
              return null;
            };
        List<Future<Void>> removals = new ArrayList<>();
        for (int i = 0; i < workers; i++) {
          removals.add(executor.submit(removal));
        }
        for (Future<Void> one : removals) {
          one.get();
        }
        assertThat(part).isEmptyDirectory();
      }
    } finally {
      executor.shutdownNow();
    }
  }

  @Test
  void whatIsGoneIsNoFault() throws IOException {
    PictureFiles files = new PictureFiles(data, new DecodingTurn());
    assertThatCode(() -> files.remove(ID)).doesNotThrowAnyException();
    assertThatCode(() -> PictureFiles.deleteTree(data.resolve("nothing")))
        .doesNotThrowAnyException();
  }
}
