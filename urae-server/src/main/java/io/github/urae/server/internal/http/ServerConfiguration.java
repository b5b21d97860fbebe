package io.github.urae.server.internal.http;

import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.server.ServerSettings;
import io.github.urae.server.internal.job.AdapterCatalogue;
import io.github.urae.server.internal.job.DatabaseLock;
import io.github.urae.server.internal.job.JobQueue;
import io.github.urae.server.internal.job.JobStore;
import io.github.urae.server.internal.picture.DecodingTurn;
import io.github.urae.server.internal.picture.PictureFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.autoconfigure.context.LifecycleAutoConfiguration;
import org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration;
import org.springframework.boot.jdbc.autoconfigure.JdbcClientAutoConfiguration;
import org.springframework.boot.jdbc.autoconfigure.JdbcTemplateAutoConfiguration;
import org.springframework.boot.servlet.autoconfigure.HttpEncodingAutoConfiguration;
import org.springframework.boot.tomcat.autoconfigure.servlet.TomcatServletWebServerAutoConfiguration;
import org.springframework.boot.tomcat.servlet.TomcatServletWebServerFactory;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.boot.webmvc.autoconfigure.DispatcherServletAutoConfiguration;
import org.springframework.boot.webmvc.autoconfigure.WebMvcAutoConfiguration;
import org.springframework.boot.webmvc.autoconfigure.error.ErrorMvcAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.http.CacheControl;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.web.servlet.config.annotation.ResourceHandlerRegistry;
import org.springframework.web.servlet.config.annotation.ViewControllerRegistry;
import org.springframework.web.servlet.config.annotation.WebMvcConfigurer;

/**
 * What the server is made of; settings and pipeline come from whoever starts it. Of what Spring
 * Boot configures it takes what is named here: others may lie on the class path, of an application
 * around it.
 */
@Configuration(proxyBeanMethods = false)
@ImportAutoConfiguration({
  DataSourceAutoConfiguration.class,
  DispatcherServletAutoConfiguration.class,
  ErrorMvcAutoConfiguration.class,
  HttpEncodingAutoConfiguration.class,
  JdbcClientAutoConfiguration.class,
  JdbcTemplateAutoConfiguration.class,
  LifecycleAutoConfiguration.class,
  TomcatServletWebServerAutoConfiguration.class,
  WebMvcAutoConfiguration.class
})
@Import({
  ErrorAnswers.class,
  FallbackErrors.class,
  ImagesController.class,
  JobsController.class,
  ModelsController.class,
  PageController.class,
  PicturesController.class,
  PlanController.class
})
public class ServerConfiguration {

  /** Not where Spring Boot looks: an application around the server would serve it, too. */
  private static final String PAGE = "classpath:/io/github/urae/server/page/";

  /** Requests that are answered at once. */
  private static final int OTHERS = 48;

  private static final String VIEWER =
      "classpath:/META-INF/resources/webjars/openseadragon/2.4.2/build/openseadragon/";

  /**
   * Returns how many requests may be at work: those who wait for a job, follow one, or upload, and
   * some who do not wait.
   */
  public static int threads(ServerSettings settings) {
    // Jobs whose pictures are written have not ended yet.
    int waiting = settings.maxQueued() + 2 * settings.concurrency();
    return waiting + Followers.most(settings) + Bodies.MAX_UPLOADS + OTHERS;
  }

  @Bean
  AdapterCatalogue adapterCatalogue(ServerSettings settings) {
    return new AdapterCatalogue(settings.adapterFolder(), settings.bundledAdapters());
  }

  @Bean
  DatabaseLock databaseLock(DataSource database, ServerSettings settings)
      throws IOException, SQLException {
    return new DatabaseLock(
        database,
        settings.database().map(ServerSettings.Database::toString).orElse("the jobs' database"));
  }

  @Bean
  JobStore jobStore(JdbcClient database, DatabaseLock lock) {
    return new JobStore(database, lock);
  }

  @Bean
  DecodingTurn decodingTurn() {
    return new DecodingTurn();
  }

  @Bean
  PictureFiles pictureFiles(ServerSettings settings, DecodingTurn turn) throws IOException {
    return new PictureFiles(settings.dataFolder(), turn);
  }

  @Bean
  JobQueue jobQueue(
      FluxPipeline pipeline,
      JobStore store,
      PictureFiles files,
      AdapterCatalogue catalogue,
      ServerSettings settings)
      throws IOException {
    return new JobQueue(
        pipeline,
        store,
        files,
        catalogue,
        settings.concurrency(),
        settings.maxQueued(),
        settings.keptJobs());
  }

  @Bean
  Submission submission(FluxPipeline pipeline, JobQueue queue) {
    return new Submission(pipeline, queue);
  }

  @Bean
  OrderReader orderReader(
      FluxPipeline pipeline, ServerSettings settings, AdapterCatalogue catalogue) {
    return new OrderReader(pipeline.model(), settings, catalogue);
  }

  @Bean
  Bodies bodies(ServerSettings settings, DecodingTurn turn) throws IOException {
    return new Bodies(settings, turn);
  }

  @Bean
  Followers followers(ServerSettings settings) {
    return new Followers(settings);
  }

  @Bean
  Access access(ServerSettings settings) throws IOException {
    return new Access(settings);
  }

  @Bean
  Links links(ServerSettings settings, Access access) {
    return new Links(settings, access);
  }

  @Bean
  GuardFilter guardFilter(ServerSettings settings, Access access) {
    return new GuardFilter(settings, access);
  }

  @Bean
  WebServerFactoryCustomizer<TomcatServletWebServerFactory> tomcat(ServerSettings settings)
      throws IOException {
    // Empty: without one, Tomcat makes one in the system's temporary folder, which may be
    // read-only.
    Path root = settings.dataFolder().toAbsolutePath().resolve("temporary").resolve("root");
    Files.createDirectories(root);
    return factory -> {
      factory.setDocumentRoot(root.toFile());
      factory.addEngineValves(new ConnectionProbe.Valve());
    };
  }

  @Bean
  WebMvcConfigurer page() {
    return new WebMvcConfigurer() {
      @Override
      public void addResourceHandlers(ResourceHandlerRegistry registry) {
        registry
            .addResourceHandler("/**")
            .addResourceLocations(PAGE)
            .setCacheControl(CacheControl.noCache());
        registry
            .addResourceHandler("/openseadragon/**")
            .addResourceLocations(VIEWER)
            .setCacheControl(CacheControl.maxAge(1, TimeUnit.DAYS));
      }

      @Override
      public void addViewControllers(ViewControllerRegistry registry) {
        registry.addViewController("/").setViewName("forward:/index.html");
      }
    };
  }
}
