import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.urae.demo.DemoModel;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.tensor.Tensor;
import java.awt.image.BufferedImage;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarFile;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;

class DrawTest {

  @Test
  void drawsWithNothingButTheArtifacts() throws Exception {
    Path target = Path.of("target").toAbsolutePath();
    Path picture = target.resolve("boat.png");
    Draw.main(
        new String[] {
          DemoModel.unpackInto(target).checkpoint().toString(), picture.toString()
        });
    BufferedImage image = ImageIO.read(picture.toFile());
    assertEquals(128, image.getWidth());
    int corner = image.getRGB(4, 4);
    assertTrue((corner & 0xFF) > ((corner >> 16) & 0xFF), "the sky is blue");
  }

  @Test
  void everyJarHoldsLicenceAndNotices() throws Exception {
    for (Class<?> type : List.of(Tensor.class, FluxPipeline.class, DemoModel.class)) {
      Path jar = Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
      try (JarFile content = new JarFile(jar.toFile())) {
        for (String name : List.of("META-INF/LICENSE", "META-INF/NOTICE")) {
          assertNotNull(content.getEntry(name), jar + " holds no " + name);
        }
      }
    }
  }
}
