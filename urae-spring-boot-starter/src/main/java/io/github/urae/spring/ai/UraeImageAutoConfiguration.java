package io.github.urae.spring.ai;

import io.github.urae.flux.ImagePipeline;
import io.github.urae.spring.UraeAutoConfiguration;
import io.micrometer.observation.ObservationRegistry;
import org.springframework.ai.image.ImageModel;
import org.springframework.ai.image.observation.DefaultImageModelObservationConvention;
import org.springframework.ai.image.observation.ImageModelObservationConvention;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;

/**
 * Makes Spring AI's image model of the application's pipeline, unless {@code spring.ai.model.image}
 * names another provider.
 */
@AutoConfiguration(after = UraeAutoConfiguration.class)
@ConditionalOnClass(ImageModel.class)
@ConditionalOnBean(ImagePipeline.class)
@ConditionalOnProperty(name = "spring.ai.model.image", havingValue = "urae", matchIfMissing = true)
@EnableConfigurationProperties(UraeImageProperties.class)
public class UraeImageAutoConfiguration {

  /** For Spring. */
  public UraeImageAutoConfiguration() {}

  @Bean
  @ConditionalOnMissingBean
  UraeImageModel uraeImageModel(
      ImagePipeline pipeline,
      UraeImageProperties properties,
      ObjectProvider<ObservationRegistry> observations,
      ObjectProvider<ImageModelObservationConvention> convention) {
    return new UraeImageModel(
        pipeline,
        properties.options().toImageOptions(),
        observations.getIfUnique(() -> ObservationRegistry.NOOP),
        convention.getIfUnique(DefaultImageModelObservationConvention::new));
  }
}
