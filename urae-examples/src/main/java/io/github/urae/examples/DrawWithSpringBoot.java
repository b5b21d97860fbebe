package io.github.urae.examples;

import io.github.urae.spring.ai.UraeImageOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Map;
import org.springframework.ai.image.ImageModel;
import org.springframework.ai.image.ImagePrompt;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.ConfigurableApplicationContext;

/**
 * A picture of a text in an application of Spring Boot. Shows: the starter's beans, Spring AI's
 * image model and its options. A service would have {@code urae.model} in its {@code
 * application.yaml} and the model injected. Arguments: model, text, output file.
 */
@SpringBootApplication
public class DrawWithSpringBoot {

  /** For Spring. */
  public DrawWithSpringBoot() {}

  public static void main(String[] arguments) throws Exception {
    SpringApplication application = new SpringApplication(DrawWithSpringBoot.class);
    application.setDefaultProperties(Map.of("urae.model", arguments[0]));
    try (ConfigurableApplicationContext context = application.run()) {
      ImageModel model = context.getBean(ImageModel.class);
      UraeImageOptions options = UraeImageOptions.builder().steps(4).seed(3L).build();
      String picture =
          model.call(new ImagePrompt(arguments[1], options)).getResult().getOutput().getB64Json();
      Files.write(Path.of(arguments[2]), Base64.getDecoder().decode(picture));
    }
  }
}
