package io.github.urae.examples;

import io.github.urae.adapter.CheckpointMerger;
import java.nio.file.Path;

/**
 * A new checkpoint with an adapter merged in, for this library and for diffusers. Shows: merging
 * without a pipeline. Arguments: model, adapter, folder of the new checkpoint.
 */
public final class MergeAdapter {

  private MergeAdapter() {}

  public static void main(String[] arguments) throws Exception {
    CheckpointMerger.builder()
        .model(arguments[0])
        .adapter(arguments[1], 0.8)
        .output(Path.of(arguments[2]))
        .write();
  }
}
