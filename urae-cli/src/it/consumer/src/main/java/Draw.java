import io.github.urae.pipeline.FluxPipeline;
import java.nio.file.Path;

public class Draw {
  public static void main(String[] arguments) throws Exception {
    try (FluxPipeline pipeline = FluxPipeline.builder().model(Path.of(arguments[0])).build()) {
      pipeline.generate("a sailing boat on the sea on a sunny day", 128, 128).save(Path.of(arguments[1]));
    }
  }
}
