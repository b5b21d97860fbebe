package io.github.urae.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.FileFormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HuggingFaceCacheTest {

  private static final String MAIN = "3de623fc3c33e44ffbe2bad470d0f45bccf2eb21";
  private static final String OTHER = "0ef5fff789c832c5c7f4e127f94c8b54bbcced44";

  @TempDir Path home;

  private Path hub;
  private HuggingFaceCache cache;

  @BeforeEach
  void emptyCache() throws IOException {
    hub = Files.createDirectories(home.resolve(".cache/huggingface/hub"));
    cache = HuggingFaceCache.in(Map.of(), home);
  }

  /** Lays a file as huggingface_hub does: the bytes as a blob, a relative link in the snapshot. */
  private Path download(String repository, String commit, String file) throws IOException {
    Path folder = hub.resolve("models--" + repository.replace("/", "--"));
    Path blob =
        Files.createDirectories(folder.resolve("blobs"))
            .resolve(Integer.toHexString((commit + file).hashCode()));
    Files.writeString(blob, file);
    Path link = folder.resolve("snapshots").resolve(commit).resolve(file);
    Files.createDirectories(link.getParent());
    return Files.createSymbolicLink(link, link.getParent().relativize(blob));
  }

  private void reference(String repository, String revision, String commit) throws IOException {
    Path file = hub.resolve("models--" + repository.replace("/", "--") + "/refs/" + revision);
    Files.createDirectories(file.getParent());
    Files.writeString(file, commit);
  }

  @Test
  void aModelIsFoundByItsId() throws IOException {
    Path index = download("black-forest-labs/FLUX.1-dev", MAIN, "model_index.json");
    reference("black-forest-labs/FLUX.1-dev", "main", MAIN);
    assertThat(cache.model("black-forest-labs/FLUX.1-dev")).isEqualTo(index.getParent());
  }

  @Test
  void aRevisionIsABranchATagOrACommit() throws IOException {
    download("org/name", MAIN, "model_index.json");
    Path other = download("org/name", OTHER, "model_index.json").getParent();
    reference("org/name", "main", MAIN);
    reference("org/name", "refs/pr/7", OTHER);
    reference("org/name", "v1.0", OTHER);
    assertThat(cache.model("org/name@v1.0")).isEqualTo(other);
    assertThat(cache.model("org/name@refs/pr/7")).isEqualTo(other);
    assertThat(cache.model("org/name@" + OTHER)).isEqualTo(other);
    assertThatThrownBy(() -> cache.model("org/name@v2.0"))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining("'hf download org/name --revision v2.0'");
  }

  @Test
  void aFolderWinsOverAnId() throws IOException {
    download("org/name", MAIN, "model_index.json");
    reference("org/name", "main", MAIN);
    String folder = Files.createDirectories(home.resolve("org/name")).toString();
    assertThat(cache.model(folder)).isEqualTo(Path.of(folder));
  }

  @Test
  void oneFileOfARepository() throws IOException {
    Path folder = hub.resolve("models--city96--FLUX.1-dev-gguf/snapshots/main");
    Path file = Files.createDirectories(folder.resolve("split")).resolve("flux.gguf");
    Files.writeString(file, "x");
    assertThat(cache.modelOrFile("city96/FLUX.1-dev-gguf")).isEqualTo(folder);
    assertThat(cache.modelOrFile("city96/FLUX.1-dev-gguf:split/flux.gguf")).isEqualTo(file);
    assertThat(cache.modelOrFile(file.toString())).isEqualTo(file);
    for (String text : new String[] {"none.gguf", "../../../../outside"}) {
      assertThatThrownBy(() -> cache.modelOrFile("city96/FLUX.1-dev-gguf:" + text))
          .isInstanceOf(NoSuchFileException.class)
          .hasMessageContaining("hf download city96/FLUX.1-dev-gguf " + text);
    }
  }

  @Test
  void whatIsNotThereSaysHowToGetIt() {
    assertThatThrownBy(() -> cache.model("black-forest-labs/FLUX.1-schnell"))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining("black-forest-labs/FLUX.1-schnell: neither a file or folder")
        .hasMessageContaining(hub.toString())
        .hasMessageContaining("'hf download black-forest-labs/FLUX.1-schnell' would fetch it");
    for (String text : new String[] {"FLUX.1-dev", "/no/such/folder", "a/b/c", "../a", "org/n:f"}) {
      assertThatThrownBy(() -> cache.model(text))
          .as(text)
          .isInstanceOf(NoSuchFileException.class)
          .hasMessageContaining("no such file or folder")
          .hasMessageNotContaining("hf download");
    }
  }

  @Test
  void anAdapterIsNamedByRepositoryAndFile() throws IOException {
    Path adapter2k = download("Huage001/URAE", MAIN, "urae_2k_adapter.safetensors");
    Path nested = download("Huage001/URAE", MAIN, "more/urae_4k_adapter.safetensors");
    download("Huage001/URAE", MAIN, "README.md");
    reference("Huage001/URAE", "main", MAIN);
    assertThat(cache.adapter("Huage001/URAE:urae_2k_adapter.safetensors")).isEqualTo(adapter2k);
    assertThat(cache.adapter("Huage001/URAE@main:more/urae_4k_adapter.safetensors"))
        .isEqualTo(nested);
    assertThatThrownBy(() -> cache.adapter("Huage001/URAE"))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining("Huage001/URAE:more/urae_4k_adapter.safetensors")
        .hasMessageContaining("urae_2k_adapter.safetensors");
    assertThatThrownBy(() -> cache.adapter("Huage001/URAE:style.safetensors"))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining("urae_2k_adapter.safetensors")
        .hasMessageContaining("'hf download Huage001/URAE style.safetensors'");
  }

  @Test
  void theOnlyFileOfAnAdapterNeedsNoName() throws IOException {
    Path only = download("org/style", MAIN, "pytorch_lora_weights.safetensors");
    reference("org/style", "main", MAIN);
    assertThat(cache.adapter("org/style")).isEqualTo(only);
    download("org/style", MAIN, "another.safetensors");
    assertThat(cache.adapter("org/style")).isEqualTo(only);
  }

  @Test
  void aFileNameLeadsNowhereElse() throws IOException {
    download("org/style", MAIN, "a.safetensors");
    Path outside = download("org/other", MAIN, "b.safetensors");
    reference("org/style", "main", MAIN);
    assertThat(outside).exists();
    assertThatThrownBy(
            () ->
                cache.adapter(
                    "org/style:../../../models--org--other/snapshots/" + MAIN + "/b.safetensors"))
        .isInstanceOf(NoSuchFileException.class);
  }

  @Test
  void theCacheLiesWhereHuggingFaceLooksForIt() throws IOException {
    Path folder = Files.createDirectories(home.resolve("elsewhere"));
    Map<String, String> hubCache =
        Map.of("HF_HUB_CACHE", folder + "/a", "HF_HOME", folder + "/b", "XDG_CACHE_HOME", "/c");
    Map<String, String> hfHome = Map.of("HF_HOME", "~/elsewhere", "XDG_CACHE_HOME", "/c");
    Map<String, String> xdg = Map.of("HF_HUB_CACHE", "", "XDG_CACHE_HOME", folder.toString());
    assertSearched(hubCache, folder.resolve("a"));
    assertSearched(hfHome, folder.resolve("hub"));
    assertSearched(xdg, folder.resolve("huggingface/hub"));
    assertSearched(Map.of(), home.resolve(".cache/huggingface/hub"));
  }

  private void assertSearched(Map<String, String> environment, Path expected) {
    assertThatThrownBy(() -> HuggingFaceCache.in(environment, home).model("org/missing"))
        .hasMessageContaining("cache " + expected + ";");
  }

  @Test
  void aFileMissingInASnapshotIsAnIncompleteDownload() throws IOException {
    Path snapshot = download("org/name", MAIN, "model_index.json").getParent();
    reference("org/name", "main", MAIN);
    Path file = snapshot.resolve("transformer/config.json");
    NoSuchFileException missing = new NoSuchFileException(file.toString());
    NoSuchFileException explained = HuggingFaceCache.explained(missing);
    assertThat(explained)
        .hasMessageContaining(file.toString())
        .hasMessageContaining("the download of org/name is not complete; 'hf download org/name'");
    assertThat(HuggingFaceCache.explained(explained)).isSameAs(explained);
    NoSuchFileException elsewhere = new NoSuchFileException(home.resolve("a").toString());
    assertThat(HuggingFaceCache.explained(elsewhere)).isSameAs(elsewhere);
  }

  @Test
  void theRevisionOfAnIncompleteDownloadIsNamed() throws IOException {
    Path snapshot = download("org/name", OTHER, "model_index.json").getParent();
    assertThat(
            HuggingFaceCache.explained(
                new NoSuchFileException(snapshot.resolve("vae/config.json").toString())))
        .hasMessageContaining("'hf download org/name --revision " + OTHER + "'");
  }

  @Test
  void aReferenceThatNamesNoFolderIsRefused() throws IOException {
    Path model = download("org/name", MAIN, "model_index.json").getParent().getParent().getParent();
    for (String bad : new String[] {"a\0b", "", "../../x", "a b", "\uFFFD", "x".repeat(2000)}) {
      reference("org/name", "main", bad);
      assertThatThrownBy(() -> HuggingFaceCache.snapshot(model))
          .isInstanceOf(FileFormatException.class)
          .hasMessageContaining("refs/main");
      assertThatThrownBy(() -> cache.model("org/name")).isInstanceOf(FileFormatException.class);
      assertThat(
              HuggingFaceCache.explained(
                  new NoSuchFileException(
                      model.resolve("snapshots").resolve(MAIN).resolve("x").toString())))
          .hasMessageContaining("--revision " + MAIN);
    }
  }
}
