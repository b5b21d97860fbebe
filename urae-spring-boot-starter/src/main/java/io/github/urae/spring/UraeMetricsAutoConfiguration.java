package io.github.urae.spring;

import io.github.urae.spring.internal.PipelineMetrics;
import io.github.urae.spring.internal.ServicePipeline;
import io.micrometer.core.instrument.MeterRegistry;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.context.annotation.Bean;

/** Measures the pipeline where the application has one registry of Micrometer's, or a first one. */
@AutoConfiguration(
    after = UraeAutoConfiguration.class,
    afterName =
        "org.springframework.boot.micrometer.metrics.autoconfigure"
            + ".CompositeMeterRegistryAutoConfiguration")
@ConditionalOnClass(MeterRegistry.class)
@ConditionalOnBean(ServicePipeline.class)
@ConditionalOnSingleCandidate(MeterRegistry.class)
public class UraeMetricsAutoConfiguration {

  /** For Spring. */
  public UraeMetricsAutoConfiguration() {}

  @Bean
  @ConditionalOnMissingBean
  PipelineMetrics uraePipelineMetrics(ServicePipeline pipeline, MeterRegistry registry) {
    return new PipelineMetrics(pipeline, registry);
  }
}
