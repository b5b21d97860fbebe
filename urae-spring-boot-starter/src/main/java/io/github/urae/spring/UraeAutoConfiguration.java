package io.github.urae.spring;

import io.github.urae.device.Device;
import io.github.urae.flux.ImagePipeline;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.spring.internal.PipelineFactory;
import io.github.urae.spring.internal.PipelineShutdown;
import io.github.urae.spring.internal.ServicePipeline;
import java.io.IOException;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.context.properties.ConfigurationPropertiesBinding;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Primary;
import org.springframework.core.convert.converter.Converter;

/**
 * Makes the pipeline that {@code urae.model} names, unless the application has an {@link
 * ImagePipeline} of its own: a bean of that type, which is counted, measured and ended in order,
 * and the {@link FluxPipeline} behind it, whose adapters can be exchanged.
 */
@AutoConfiguration
public class UraeAutoConfiguration {

  /** For Spring. */
  public UraeAutoConfiguration() {}

  /**
   * Reads {@code urae.device}.
   *
   * @return of text as for {@link Device#parse}
   */
  @Bean
  @ConfigurationPropertiesBinding
  static DeviceConverter uraeDeviceConverter() {
    return new DeviceConverter();
  }

  /** A class, since Spring reads what is converted from its type. */
  static final class DeviceConverter implements Converter<String, Device> {
    @Override
    public Device convert(String text) {
      return Device.parse(text);
    }
  }

  /** The pipeline, where a model is named and the application has none. */
  @Configuration(proxyBeanMethods = false)
  @ConditionalOnProperty("urae.model")
  @ConditionalOnMissingBean(ImagePipeline.class)
  @EnableConfigurationProperties(UraeProperties.class)
  static class PipelineConfiguration {

    /**
     * Opens the model.
     *
     * @throws IOException if a file is missing or cannot be read or written
     */
    @Bean(destroyMethod = "close")
    FluxPipeline fluxPipeline(
        UraeProperties properties, ObjectProvider<PipelineCustomizer> customizers)
        throws IOException {
      FluxPipeline.Builder builder = PipelineFactory.builder(properties);
      customizers.orderedStream().forEach(customizer -> customizer.customize(builder));
      return builder.build();
    }

    /** Draws with it. Its end is that of the pipeline. */
    @Bean(destroyMethod = "")
    @Primary
    ServicePipeline imagePipeline(FluxPipeline pipeline) {
      return new ServicePipeline(pipeline);
    }

    @Bean
    PipelineShutdown uraePipelineShutdown(ServicePipeline pipeline, UraeProperties properties) {
      return new PipelineShutdown(pipeline, properties.shutdownGrace());
    }
  }
}
