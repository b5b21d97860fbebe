package io.github.urae.spring;

import io.github.urae.spring.internal.PipelineHealth;
import io.github.urae.spring.internal.ServicePipeline;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.health.autoconfigure.contributor.ConditionalOnEnabledHealthIndicator;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.context.annotation.Bean;

/** Tells of the pipeline's health, unless {@code management.health.urae.enabled} is false. */
@AutoConfiguration(after = UraeAutoConfiguration.class)
@ConditionalOnClass({HealthIndicator.class, ConditionalOnEnabledHealthIndicator.class})
@ConditionalOnBean(ServicePipeline.class)
@ConditionalOnEnabledHealthIndicator("urae")
public class UraeHealthAutoConfiguration {

  /** For Spring. */
  public UraeHealthAutoConfiguration() {}

  @Bean
  @ConditionalOnMissingBean(name = "uraeHealthIndicator")
  HealthIndicator uraeHealthIndicator(ServicePipeline pipeline) {
    return new PipelineHealth(pipeline);
  }
}
