package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What an application gets that depends on this artifact alone. */
class DependenciesTest {

  /** The build writes it. */
  private static final Path CLASS_PATH = Path.of("target", "classpath");

  @Test
  void nothingNewComesAlong() throws Exception {
    assumeThat(CLASS_PATH).as("of a build by Maven").isRegularFile();
    List<String> artifacts =
        Arrays.stream(Files.readString(CLASS_PATH).strip().split(File.pathSeparator, -1))
            .map(DependenciesTest::artifact)
            .toList();
    assertThat(artifacts)
        .containsExactlyInAnyOrder(
            "urae-core",
            // The networks run, and are written, with
            "onnxruntime",
            "tribuo-util-onnx",
            "protobuf-java",
            "jna",
            // Prompts become tokens with
            "tokenizers",
            // JSON, patterns, logging:
            "jackson-databind",
            "jackson-core",
            "jackson-annotations",
            "re2j",
            "slf4j-api",
            // WebP is read by
            "imageio-webp",
            "imageio-core",
            "imageio-metadata",
            "common-image",
            "common-io",
            "common-lang");
  }

  /** From a jar in a repository, a jar of this build, or the classes of one of its modules. */
  private static String artifact(String entry) {
    Path path = Path.of(entry);
    return path.endsWith(Path.of("target", "classes"))
        ? path.getParent().getParent().getFileName().toString()
        : path.getFileName().toString().replaceFirst("-\\d.*", "");
  }
}
