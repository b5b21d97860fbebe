import io.github.urae.demo.DemoModel;
import io.github.urae.pipeline.FluxPipeline;
import java.nio.file.Path;

public class Pictures {
  public static void main(String[] arguments) throws Exception {
    Path model = DemoModel.unpackInto(Path.of("models")).checkpoint();
    try (FluxPipeline pipeline = FluxPipeline.builder().model(model).build()) {
      pipeline.generate("desert dunes at sunset", 128, 128).save(Path.of("dunes.png"));
    }
  }
}
