package dbt_spark_contracts;

import java.io.IOException;
import java.lang.reflect.Method;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;

/** Hadoop's local files. Java sets their permissions itself. hadoop.py says why, and compiles it. */
public class LocalFiles extends RawLocalFileSystem {
    /** Make Hadoop use these files, without checksum files, for all paths of the scheme `file`. */
    public void install(Configuration configuration) throws Exception {
        LocalFileSystem files = new LocalFileSystem(new LocalFiles());
        files.initialize(URI.create("file:///"), configuration);
        files.setVerifyChecksum(false);
        files.setWriteChecksum(false);
        // The only way to replace what Hadoop has cached for a scheme.
        Class[] types = {URI.class, Configuration.class, FileSystem.class};
        Method cache = FileSystem.class.getDeclaredMethod("addFileSystemForTesting", types);
        cache.setAccessible(true);
        cache.invoke(null, new Object[] {files.getUri(), configuration, files});
    }

    public void setPermission(Path path, FsPermission permission) throws IOException {
        if (permission.getStickyBit()) { // Java has no name for this bit
            super.setPermission(path, permission);
            return;
        }
        Files.setPosixFilePermissions(
            pathToFile(path).toPath(), PosixFilePermissions.fromString(permission.toString()));
    }
}
