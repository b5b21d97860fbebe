import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.urae.demo.DemoModel;
import java.awt.image.BufferedImage;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;

class DrawTest {

  @Test
  void drawsWithNothingButTheArtifacts() throws Exception {
    Path target = Path.of("target").toAbsolutePath();
    Path picture = target.resolve("circle.png");
    Draw.main(
        new String[] {
          DemoModel.unpackInto(target).checkpoint().toString(), picture.toString()
        });
    BufferedImage image = ImageIO.read(picture.toFile());
    assertEquals(128, image.getWidth());
    int corner = image.getRGB(4, 4);
    assertTrue((corner & 0xFF) > ((corner >> 16) & 0xFF), "the background is blue");
  }
}
