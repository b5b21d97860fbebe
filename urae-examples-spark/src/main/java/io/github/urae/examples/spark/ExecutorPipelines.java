package io.github.urae.examples.spark;

import io.github.urae.device.Device;
import io.github.urae.flux.ImagePipeline;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import org.apache.spark.TaskContext;
import org.apache.spark.resource.ResourceInformation;

/**
 * One pipeline for each executor's JVM and GPU, opened by its first task and left open for the next
 * ones, until the JVM ends.
 */
final class ExecutorPipelines {

  private static final Map<String, ImagePipeline> OPEN = new HashMap<>();

  private ExecutorPipelines() {}

  /** Returns the pipeline for the task that calls. */
  static synchronized ImagePipeline here(String model) throws IOException {
    Device device = device(TaskContext.get());
    String key = device + " " + model;
    ImagePipeline open = OPEN.get(key);
    if (open == null) {
      // Tasks that run side by side take turns: each picture gets the whole device.
      open = FluxPipeline.builder().model(model).device(device).maxConcurrent(1).build();
      OPEN.put(key, open);
    }
    return open;
  }

  /** The GPU that Spark gave the task ({@code spark.task.resource.gpu.amount}), or any. */
  private static Device device(TaskContext task) {
    ResourceInformation gpu = task.resourcesJMap().get("gpu");
    return gpu == null || gpu.addresses().length == 0
        ? Device.auto()
        : Device.cuda(Integer.parseInt(gpu.addresses()[0]));
  }
}
