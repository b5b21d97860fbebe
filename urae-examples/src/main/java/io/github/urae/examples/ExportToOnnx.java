package io.github.urae.examples;

import io.github.urae.export.OnnxExport;
import java.nio.file.Path;

/**
 * ONNX files of a checkpoint, for any ONNX Runtime. Shows: exporting. Arguments: model, folder of
 * the export, which {@code FluxPipeline} opens as it does a checkpoint.
 */
public final class ExportToOnnx {

  private ExportToOnnx() {}

  public static void main(String[] arguments) throws Exception {
    OnnxExport.builder().model(arguments[0]).output(Path.of(arguments[1])).write();
  }
}
