package io.github.urae.spring;

import io.github.urae.pipeline.FluxPipeline;

/**
 * Changes the pipeline that {@code urae.*} describes, before it is built: a bean of this type is
 * called for what has no property, in the order of such beans.
 */
@FunctionalInterface
public interface PipelineCustomizer {

  /**
   * Changes settings.
   *
   * @param builder with everything set that properties say; not to be kept
   */
  void customize(FluxPipeline.Builder builder);
}
